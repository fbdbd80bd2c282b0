"""LiteLLM's own logging payloads, as its object-store exports hold them: one JSON object a line."""

import json
import os
from typing import Any

from litellm.integrations.custom_logger import CustomLogger


class Payloads(CustomLogger):  # type: ignore[misc]  # LiteLLM lives in the proxy's environment
    async def async_log_success_event(self, kwargs: dict[str, Any], **_: object) -> None:
        self._write(kwargs)

    async def async_log_failure_event(self, kwargs: dict[str, Any], **_: object) -> None:
        self._write(kwargs)

    def _write(self, kwargs: dict[str, Any]) -> None:
        line = json.dumps(kwargs["standard_logging_object"], default=str)
        with open(os.environ["PAYLOADS"], "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(f"{line}\n")


writer = Payloads()
