"""OpenTelemetry of what the guard does, where guard.yaml says so. Nothing here is imported otherwise."""
