package dev.espalier.recipe;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/// What a key of a recipe means. The reader, the JSON Schema and the reference in `docs/recipes.md`
/// are all made from it, so that they cannot differ.
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.RECORD_COMPONENT, ElementType.TYPE})
public @interface Doc {
    /// The meaning, as a sentence for a person.
    String value();

    /// The key in YAML where it is not the component's name in kebab-case; of a kind, its `type`
    /// where that is not its simple name in kebab-case.
    String key() default "";

    /// Whether this kind is the one that a mapping without a `type` means.
    boolean untyped() default false;

    /// The value where the recipe says nothing, as YAML; empty where the key is required. What a
    /// recipe says of a mapping is laid over this one key by key, unless it chooses another `type`.
    String byDefault() default "";

    /// The word in YAML that stands for `null` in a nullable component.
    String nothing() default "none";

    /// The interval that a number, or each number of a list, must lie in: `[1, ∞)`, `(0, 1]`.
    String in() default "";
}
