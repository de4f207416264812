"""What judging, loading and comparing documents costs by itself: no server, no client, no pipe."""
