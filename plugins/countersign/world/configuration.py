"""The commented `countersign.toml` that a built world comes with."""

from datetime import datetime
from typing import Final

from countersign.model import Window

_TEMPLATE: Final = """\
# Countersign on the simulated installation. Secrets are references, never values:
# `env:NAME` is read from the environment, `airflow:CONNECTION_ID` from Airflow.

[countersign]
entity = "Northern Lights Platform (simulated)"
packet_prefix = "CS"
origin = "countersign.example/simulated"
prepared_by = "Platform engineering"
lake = "lake"
keys = "keys"
out = "out"
mapping_date = "2026-10-01"
# Approvals by this user are a machine's, and every record of them says so.
automatic_approvers = ["demo"]
# A fixed clock: six hours after the last window ended, so that late usage is still to come.
now = {now}

# The gateway's spend log: every call, without its text.
[sources.litellm]
connector = "litellm"
url = "{url}/litellm"
credential = "env:COUNTERSIGN_LITELLM_KEY"

# What the rows do not say about a deployment: the provider's key, the region, the group it serves.
[sources.litellm.deployments]
{deployments}

# The gateway's exported payloads: only the text is taken, to derive columns at admission.
[sources.litellm-text]
connector = "litellm"
url = "file:export/litellm"
records = ["call_text"]
# The exporter names its folders by UTC days: a day's rows lie in its own folder.
neighbour_days = 0

[sources.openai-usage]
connector = "openai-usage"
url = "{url}/openai"
credential = "env:COUNTERSIGN_OPENAI_ADMIN_KEY"

[sources.openai-costs]
connector = "openai-costs"
url = "{url}/openai"
credential = "env:COUNTERSIGN_OPENAI_ADMIN_KEY"

[sources.anthropic-usage]
connector = "anthropic-usage"
url = "{url}/anthropic"
credential = "env:COUNTERSIGN_ANTHROPIC_ADMIN_KEY"

[sources.anthropic-cost]
connector = "anthropic-cost"
url = "{url}/anthropic"
credential = "env:COUNTERSIGN_ANTHROPIC_ADMIN_KEY"

# The meters beside the readers: what was actually shown.
[sources.beacons]
connector = "delivery-beacon"
url = "{url}/beacons"
credential = "env:COUNTERSIGN_BEACON_KEY"

# Dated knowledge: files that a person edits and reviews.
[sources.prices]
connector = "price-list"
url = "file:terms/prices"

[sources.surfaces]
connector = "surface-terms"
url = "file:terms/surfaces"

[controls.data-residency]
promises = [{{ tenant = "aster-bank", jurisdictions = ["EU"], valid_from = "2026-01-01" }}]

# The words of these weeks are the vocabulary; later words are unseen terms.
[text]
vocabulary_from = "{start}"
vocabulary_weeks = {vocabulary_weeks}

[mail]
recipients = ["auditor@supervision.example", "dpo@northern-lights.example"]
sender = "countersign@northern-lights.example"
"""
_DEPLOYMENTS: Final = """\
dep-openai-eu = { key = "key_eu_prod", region = "eu", pipeline = "chat", group = "chat-eu", \
provider = "openai" }
dep-openai-us = { key = "key_us_prod", region = "us", pipeline = "chat", group = "chat-us", \
provider = "openai" }
dep-anthropic = { key = "apikey_prod", region = "global", pipeline = "chat", \
group = "chat-fast", provider = "anthropic" }"""


def document(span: Window, url: str, now: datetime) -> str:
    """The configuration of a world of so many weeks, served at `url`."""
    weeks = (span.end - span.start).days // 7
    return _TEMPLATE.format(
        now=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        url=url,
        deployments=_DEPLOYMENTS,
        start=span.start,
        vocabulary_weeks=max(1, min(4, weeks - 1)),
    )
