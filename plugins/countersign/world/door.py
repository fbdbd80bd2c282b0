"""Who may come in, and how each API refuses: status codes and error bodies of the real ones."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from countersign.world.installation import CREDENTIALS
from countersign.world.reply import RefusedError, Reply

LITELLM: Final = "litellm"
OPENAI: Final = "openai"
ANTHROPIC: Final = "anthropic"
BEACON: Final = "beacon"
_KEYS: Final = {
    LITELLM: CREDENTIALS["COUNTERSIGN_LITELLM_KEY"],
    OPENAI: CREDENTIALS["COUNTERSIGN_OPENAI_ADMIN_KEY"],
    ANTHROPIC: CREDENTIALS["COUNTERSIGN_ANTHROPIC_ADMIN_KEY"],
    BEACON: CREDENTIALS["COUNTERSIGN_BEACON_KEY"],
}
_ANTHROPIC_TYPES: Final = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
    404: "not_found_error", 429: "rate_limit_error",
}  # fmt: skip
_OPENAI_TYPES: Final = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "insufficient_permissions"),
    404: ("invalid_request_error", "unknown_url"),
    429: ("requests", "rate_limit_exceeded"),
}


@dataclass(frozen=True, slots=True)
class Door:
    """The entrance of one API, by its style."""

    style: str

    def admit(self, headers: Mapping[str, str]) -> None:
        """Let a request in.

        Raises:
            RefusedError: no credential, a wrong one, or (Anthropic) no API version.
        """
        given = _credential(self.style, headers)
        if given is None:
            raise RefusedError(_NO_KEY[self.style], status=401)
        if given != _KEYS[self.style]:
            raise self._wrong(given)
        if self.style == ANTHROPIC and headers.get("anthropic-version") != "2023-06-01":
            raise RefusedError("anthropic-version: header is required", status=400)

    def _wrong(self, given: str) -> RefusedError:
        if self.style == OPENAI and given.startswith("sk-proj"):
            message = (
                "You have insufficient permissions for this operation. "
                "Missing scopes: api.usage.read."
            )
            return RefusedError(message, status=403)
        return RefusedError(_WRONG_KEY[self.style].format(given[:8]), status=401)

    def refuse(self, error: RefusedError, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
        """The API's own error body."""
        body = json.dumps(self._body(error)).encode()
        return Reply(error.status, body, headers)

    def _body(self, error: RefusedError) -> dict[str, object]:
        if self.style == ANTHROPIC:
            kind = _ANTHROPIC_TYPES.get(error.status, "api_error")
            return {
                "type": "error",
                "error": {"type": kind, "message": error.message},
                "request_id": "req_011CWorld",
            }
        if self.style == BEACON:
            return {"error": error.message}
        kind, code = _OPENAI_TYPES.get(error.status, ("server_error", None))
        if self.style == LITELLM:
            kind, code = "auth_error" if error.status in {401, 403} else "None", str(error.status)
        fields = {"message": error.message, "type": kind, "param": error.param, "code": code}
        return {"error": fields}


_NO_KEY: Final = {
    LITELLM: "Authentication Error, No api key passed in.",
    OPENAI: "Missing bearer authentication in header",
    ANTHROPIC: "x-api-key header is required",
    BEACON: "no key",
}
_WRONG_KEY: Final = {
    LITELLM: "Authentication Error, Invalid proxy server token passed. Received API Key = {}...",
    OPENAI: "Incorrect API key provided: {}****. You can find your API key at "
    "https://platform.openai.com/account/api-keys.",
    ANTHROPIC: "invalid x-api-key",
    BEACON: "unknown key",
}


def _credential(style: str, headers: Mapping[str, str]) -> str | None:
    if style == ANTHROPIC:
        return headers.get("x-api-key")
    scheme, _, key = (headers.get("authorization") or "").partition(" ")
    return key if scheme.lower() == "bearer" and key else None
