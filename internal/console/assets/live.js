// Keeps the list of the page Live up to date.
