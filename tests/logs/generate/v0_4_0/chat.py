"""The `null` harness of verifiers 0.4.0, its chat program run in this process.

The program is verifiers' own text, unchanged; only starting an interpreter for every
rollout is saved.
"""

from __future__ import annotations

import argparse
import json
import traceback
from typing import Any

import httpx
import verifiers.v1 as vf
from openai import OpenAIError
from verifiers.v1.dialects.chat import message_to_wire
from verifiers.v1.harnesses.null.harness import NullHarness
from verifiers.v1.harnesses.utils.launch import CHAT_PROGRAM_SOURCE


class ChatHarness(NullHarness):
    """Runs the program's `main` and reports what its exit would."""

    SUPPORTS_TOOL_INTERCEPTION = False

    async def setup(self, runtime: vf.Runtime) -> None:
        """Prepare nothing."""

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: vf.TaskData,
    ) -> vf.ProgramResult:
        system, prompt = self.resolve_prompt(data)
        servers = {name: {"url": url, "timeout": 60} for name, url in mcp_urls.items()}
        args = argparse.Namespace(
            base_url=endpoint,
            api_key=secret,
            model=ctx.model,
            system_prompt=system or "",
            prompt=prompt if isinstance(prompt, str) else "",
            initial_messages_file="",
            mcp_config=json.dumps({"mcpServers": servers} if servers else {}),
            tool_interception_url="",
            bash=False,
            compaction=False,
            summarize_at_tokens=None,
            edit=False,
            search=False,
            serper_key="",
        )
        if prompt is not None and not isinstance(prompt, str):
            messages = [message_to_wire(message) for message in prompt]
            await runtime.write("messages.json", json.dumps(messages).encode())
            args.initial_messages_file = f"{runtime.workdir}/messages.json"
        # Any: the names of the program.
        program: dict[str, Any] = {"__name__": "chat_program"}
        exec(compile(CHAT_PROGRAM_SOURCE, "chat_program", "exec"), program)
        program["parse_args"] = lambda: args
        try:
            await program["main"]()
        except (OpenAIError, httpx.HTTPError):
            return vf.ProgramResult(exit_code=1, stdout="", stderr=traceback.format_exc())
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")


__all__ = ["ChatHarness"]
