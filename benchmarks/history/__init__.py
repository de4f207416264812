"""What remembering where values come from costs."""
