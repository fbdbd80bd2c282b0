"""The packet: findings become pages, a signed PDF, OSCAL results and a mail."""
