"""The controller without hypervisors: pretended switches, a real store where one is needed."""
