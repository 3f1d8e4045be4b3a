/// From documents to batches: token shards, order and sampling, labelled records, collation.
///
/// Everything random here is a pure function of (seed, epoch, index), so that a run can be resumed
/// and repeated.
@org.jspecify.annotations.NullMarked
package dev.espalier.data;
