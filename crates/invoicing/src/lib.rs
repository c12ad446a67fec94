//! Estimates, invoices, numbering, settlement of what is due, and collection.
