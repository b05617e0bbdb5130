//! JSONPath in the Jayway dialect: compile once, evaluate many.
