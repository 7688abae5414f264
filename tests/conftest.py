"""What huggingface_hub and datasets must find in the environment before anything imports them."""

import atexit
import os
import shutil
import tempfile

HOME = tempfile.mkdtemp(prefix="synthetic-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE"):
    os.environ.pop(name, None)
# Large files go over LFS, where a test can read what was sent, unless a test asks for Xet (tests/hub/transports.py).
os.environ |= {"HF_HOME": HOME, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
os.environ["HF_XET_CLIENT_RETRY_BASE_DELAY"] = "10ms"  # 3 s otherwise
