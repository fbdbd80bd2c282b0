"""What becomes of a request, class by class, as it was measured on a real gateway.

A stream that the reader leaves is logged as a success with code 499, with the gateway's own count
of what it had taken from the provider: billed >= logged >= received >= shown. The provider either
stops on close, after a tail, or drains the rest of the answer unseen.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Final

from countersign.world.call import (
    BROKEN,
    COMPLETE,
    DOUBLE_LOGGED,
    PPM,
    RETRY_BILLED,
    RETRY_PLAIN,
    Call,
    Counts,
    Request,
)
from countersign.world.installation import ANTHROPIC
from countersign.world.text import Answer, prefix

NOTHING: Final = Answer("", 0)
_SECOND_TRY_US: Final = 1_150_000
_HANG_UP: Final = "499"


def complete(request: Request, rng: Random) -> Call:  # noqa: ARG001 - one shape for all fates
    """The answer arrives, is logged as the provider counts it, and is shown."""
    ended_us = request.at_us + request.lasting_us(request.whole_output)
    counts = request.counts(request.whole_output)
    return Call(
        request=request,
        kind=COMPLETE,
        started_us=request.at_us,
        ended_us=ended_us,
        logged=counts,
        billed=counts,
        kept=request.answer,
        shown=request.answer,
        reasoning_logged=request.reasoning,
        first_token_us=request.at_us + request.first_token_us if request.stream else ended_us,
    )


def stopped(request: Request, rng: Random, *, kind: str, drains: bool) -> Call:
    """The reader stops the stream: 499, an estimate, and a tail that nobody sees."""
    received = _received(request, rng)
    taken = min(request.answer.tokens, received + _buffered(rng))
    kept = prefix(request.answer, taken)
    shown = prefix(request.answer, received - rng.randint(1, 3))
    visible = min(request.answer.tokens, taken + _noticed_late(rng))
    output = request.whole_output if drains else request.reasoning + request.visible(visible)
    ended_us = request.at_us + request.lasting_us(request.reasoning + kept.tokens)
    return Call(
        request=request,
        kind=kind,
        started_us=request.at_us,
        ended_us=ended_us,
        logged=_estimate(request, kept.tokens),
        billed=request.counts(output),
        kept=kept,
        shown=shown,
        ended="user_stop" if rng.random() < 0.75 else "disconnect",
        estimated=True,
        error_code=_HANG_UP,
        first_token_us=request.at_us + request.first_token_us,
    )


def stopped_on_screen(request: Request, rng: Random, *, kind: str) -> Call:
    """The button stops the drawing only; the client reads on to the end."""
    shown = prefix(request.answer, _received(request, rng))
    return replace(complete(request, rng), kind=kind, shown=shown, ended="user_stop")


def closed_before_first(request: Request, rng: Random, *, kind: str, drains: bool) -> Call:
    """The client goes before the first chunk: no headers, no count, and still a bill."""
    waited = int(request.first_token_us * rng.uniform(0.3, 0.9))
    output = request.whole_output if drains else min(request.whole_output, rng.randint(1, 8))
    prompt = request.prompt_tokens * PPM // request.billed_ppm
    return Call(
        request=request,
        kind=kind,
        started_us=request.at_us,
        ended_us=request.at_us + waited,
        logged=(prompt, 0, 0, 0, 0),
        billed=request.counts(output),
        kept=NOTHING,
        shown=NOTHING,
        ended="disconnect",
        estimated=True,
        error_code=_HANG_UP,
        headers_seen=False,
        first_token_us=request.at_us + waited,
    )


def closed_non_stream(request: Request, rng: Random, *, kind: str) -> Call:
    """The client goes while it waits for a whole answer; the gateway logs a plain success."""
    return replace(
        complete(request, rng), kind=kind, shown=NOTHING, ended="disconnect", headers_seen=False
    )


def broken(request: Request, rng: Random) -> Call:
    """The provider breaks the stream: a failure row with tokens, whose provider id is lost."""
    received = prefix(request.answer, max(2, int(request.answer.tokens * rng.uniform(0.1, 0.8))))
    ended_us = request.at_us + request.lasting_us(received.tokens)
    return Call(
        request=request,
        kind=BROKEN,
        started_us=request.at_us,
        ended_us=ended_us,
        logged=_estimate(request, received.tokens),
        billed=request.counts(request.visible(received.tokens)),
        kept=received,
        shown=received,
        ended="error",
        estimated=True,
        error_code="500",
        first_token_us=ended_us,
    )


def retried(request: Request, rng: Random) -> Call:
    """A 500 and a second try: a non-stream row begins with the last attempt."""
    call = complete(request, rng)
    return replace(
        call,
        kind=RETRY_PLAIN,
        retries=1,
        started_us=call.started_us if request.stream else call.started_us + _SECOND_TRY_US,
        first_token_us=call.first_token_us + _SECOND_TRY_US,
        ended_us=call.ended_us + _SECOND_TRY_US,
    )


def retried_after_loss(request: Request, rng: Random) -> Call:
    """Decoded and billed, answer lost, then answered again: one row for two bills."""
    waited = replace(request, stream=False, asks_usage=False)
    lost = max(1, int(request.whole_output * rng.uniform(0.8, 1.2)))
    passed = waited.lasting_us(lost) + _SECOND_TRY_US
    call = complete(waited, rng)
    return replace(
        call,
        kind=RETRY_BILLED,
        retries=1,
        lost=request.counts(lost),
        started_us=call.started_us + passed,
        first_token_us=call.ended_us + passed,
        ended_us=call.ended_us + passed,
    )


def double_logged(request: Request, rng: Random) -> Call:
    """Served and billed once, written down twice."""
    return replace(complete(request, rng), kind=DOUBLE_LOGGED)


Fate = Callable[[Request, Random], Call]


def stop_fate(kind: str, on_close: Mapping[str, str]) -> Fate:
    """The fate of one class of stops, given what each deployment's provider does."""

    def happen(request: Request, rng: Random) -> Call:
        drains = on_close.get(request.deployment.id, "stops") == "drains"
        if kind == "stop-on-screen-only":
            return stopped_on_screen(request, rng, kind=kind)
        if kind == "client-closed-non-stream":
            return closed_non_stream(request, rng, kind=kind)
        if kind == "closed-before-first-chunk":
            return closed_before_first(request, rng, kind=kind, drains=drains)
        return stopped(request, rng, kind=kind, drains=drains)

    return happen


def _received(request: Request, rng: Random) -> int:
    most = request.answer.tokens - 6
    return max(4, min(most, int(request.answer.tokens * rng.betavariate(1.3, 1.6))))


def _buffered(rng: Random) -> int:
    """What lay in socket buffers: few tokens, seldom many."""
    return rng.randint(0, 6) if rng.random() < 0.9 else rng.randint(7, 145)


def _noticed_late(rng: Random) -> int:
    """What the provider decodes until it notices the close."""
    return rng.randint(0, 5) if rng.random() < 0.9 else rng.randint(8, 56)


def _estimate(request: Request, output: int) -> Counts:
    """The gateway's own count: no cache split, unless the stream's first event gave the input.

    Anthropic's `message_start` has the whole input side; OpenAI says nothing before the end.
    """
    if request.deployment.model.provider == ANTHROPIC:
        return request.counts(output)
    return (request.prompt_tokens, 0, 0, 0, output)
