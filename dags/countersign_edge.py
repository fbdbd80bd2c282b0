"""Where the library and Airflow meet inside a task: the installation, its secrets, its failures."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from airflow.sdk import BaseHook, task
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from countersign import config as settings
from countersign.errors import ConfigError, CountersignError


def step(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A task; one that would fail every time alike is not tried again."""
    return lambda verb: task(**options)(_failing_at_once(verb))


def workspace() -> Any:
    """The installation, with credentials from Airflow connections; imported inside tasks only."""
    from countersign.pipeline.workspace import open_workspace

    return open_workspace(secret=credential, progress=logging.getLogger("countersign").info)


def credential(reference: str) -> str:
    """The secret behind `airflow:CONNECTION_ID` (its password) or `env:NAME`.

    Raises:
        ConfigError: there is no such connection or variable, or the connection has no password.
    """
    scheme, _, name = reference.partition(":")
    if scheme != "airflow":
        return settings.secret(reference)
    try:
        password = BaseHook.get_connection(name).password
    except AirflowNotFoundException:
        raise _unset(reference, "no such connection") from None
    if not password:
        raise _unset(reference, "no password")
    return str(password)


def _unset(reference: str, observed: str) -> ConfigError:
    remedy = "Add it in Airflow under Admin, Connections."
    expected = "a connection with a password"
    return ConfigError(
        f"credential {reference}", expected=expected, observed=observed, remedy=remedy
    )


def _failing_at_once(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The verb, whose lasting failures tell Airflow in the same words not to try again."""

    @wraps(verb)
    def run(*given: Any, **named: Any) -> Any:
        try:
            return verb(*given, **named)
        except CountersignError as error:
            if error.is_lasting:
                raise AirflowFailException(str(error)) from error
            raise

    return run
