"""One server and one client that share no era: each is shown the other as one of its own. Where both share one, nothing
here is used: what they say is mirrored."""
