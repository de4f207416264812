"""Scanners that guard.yaml names: each looks at what a call carries or what came back, and can only make it worse."""
