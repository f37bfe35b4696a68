"""Tables in JSON: lists of objects or lists, JSON lines, objects that hold rows, or a list for each column."""
