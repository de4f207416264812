"""What a server says, looked at before anybody else reads it. Core."""
