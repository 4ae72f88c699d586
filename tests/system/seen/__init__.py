"""What an operator sees: counters, events, dashboards in terminals and browsers, and what other programs are told."""
