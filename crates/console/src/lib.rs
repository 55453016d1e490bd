//! The pages that people see: the console of operators and the public page behind a printed code.
