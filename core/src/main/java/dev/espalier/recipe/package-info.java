/// What a run is to do, as plain records. [Recipes] reads them from YAML and writes them back
/// completed; every key of the YAML is a component of a record here, and its [Doc] says what it
/// means, what it is by default and what is allowed. A recipe names things (files, counts, kinds);
/// it computes nothing, and a `switch` over its sealed types elsewhere chooses what is built.
@NullMarked
package dev.espalier.recipe;

import org.jspecify.annotations.NullMarked;
