"""Energy, area and cost of circuits, memories and links, each constant with its source."""
