"""The invented city keeps its promises."""
