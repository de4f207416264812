"""Hours of bad behaviour in minutes: many clients, many servers, random faults; and figures of what was left over."""
