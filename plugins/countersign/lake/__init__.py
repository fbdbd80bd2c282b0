"""What was kept: raw pages verbatim, admitted rows by kind and day, and what was refused."""
