"""One file per claim. A control is pure: it reduces relations and concludes from what is left."""
