//! Parts without an executor: what is admitted, booked, kept and restored.
