"""The views, one for each config of a release, the default first. To add one, write its file and a line here."""

from synthetic.stage import View
from synthetic.views.preference import PREFERENCE
from synthetic.views.rl_tasks import RL_TASKS
from synthetic.views.sft import SFT_UNVERIFIED, SFT_VERIFIED
from synthetic.views.traces import TRACES

VIEWS: dict[str, View] = {view.config: view for view in (SFT_VERIFIED, SFT_UNVERIFIED, RL_TASKS, PREFERENCE, TRACES)}

DEFAULT = SFT_VERIFIED.config
"""The config that `load_dataset` gives when none is named."""

__all__ = ["DEFAULT", "VIEWS"]
