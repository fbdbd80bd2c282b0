"""What runs beside a gateway, a collector or a browser and records. Standard library only."""
