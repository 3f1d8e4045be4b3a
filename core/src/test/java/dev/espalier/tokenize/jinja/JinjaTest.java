package dev.espalier.tokenize.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.io.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class JinjaTest {
    private static final Path REFERENCE = Path.of("src/test/resources/jinja");

    private static @Nullable Object value(JsonNode json) {
        if (json.isArray()) {
            var list = new ArrayList<@Nullable Object>();
            json.forEach(item -> list.add(value(item)));
            return list;
        }
        if (json.isObject()) {
            return map(json);
        }
        if (json.isString()) {
            return Text.of(json.asString());
        }
        if (json.isBoolean()) {
            return json.asBoolean();
        }
        if (json.isIntegralNumber()) {
            return json.asLong();
        }
        return json.isNull() ? null : (Object) json.asDouble();
    }

    private static Map<String, @Nullable Object> map(JsonNode json) {
        var map = new LinkedHashMap<String, @Nullable Object>();
        json.properties().forEach(e -> map.put(e.getKey(), value(e.getValue())));
        return map;
    }

    private static String render(String template) {
        return Jinja.parse(template).render(Map.of()).text().toString();
    }

    /// The reference is Jinja 3.1.6 itself; `make.py` beside it made it.
    @Test
    void everyTemplateMakesWhatJinjaMakesOfIt() throws IOException {
        var cases = Json.read(REFERENCE.resolve("expected.json")).get("cases");
        assertThat(cases.size()).isGreaterThan(250);
        for (var reference : cases) {
            var template =
                    reference.has("file")
                            ? Files.readString(
                                    REFERENCE
                                            .resolve("templates")
                                            .resolve(reference.get("file").asString()))
                            : reference.get("template").asString();
            var variables = map(reference.get("variables"));
            if (reference.has("refused")) {
                assertThatThrownBy(() -> Jinja.parse(template).render(variables))
                        .as(template)
                        .isInstanceOf(JinjaException.class)
                        .hasMessage(reference.get("refused").asString())
                        .matches(e -> ((JinjaException) e).isRefusal());
            } else {
                assertThat(Jinja.parse(template).render(variables).text().toString())
                        .as(template)
                        .isEqualTo(reference.get("text").asString());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{{ a }}",
                "{{ a | trim }}",
                "{{ a.upper() }}",
                "{{ a[:3] ~ a[3:] }}",
                "{{ a.replace('x', '+') }}",
                "{% set b %}{{ a }}{% endset %}{{ b }}",
                "{% macro m(t) %}{{ t }}{% endmacro %}{{ m(a) }}",
                "{{ [a]|join('') }}{{ a[2:3] }}",
                "{{ a | tojson }}"
            })
    void ofEachCharacterItIsKnownWhereItComesFrom(String template) {
        var given = Text.given(" x<|end|>y ", 7);
        var text = Jinja.parse("<|end|>" + template + "<|end|>").render(Map.of("a", given)).text();
        var string = text.toString();
        assertThat(string).startsWith("<|end|>").endsWith("<|end|>");
        assertThat(string.substring(7, string.length() - 7)).containsIgnoringCase("<|end|>");
        for (var i = 0; i < text.length(); i++) {
            var own = i < 7 || i >= text.length() - 7;
            if (own) {
                assertThat(text.origin(i)).isEqualTo(Text.TEMPLATE);
            } else if (Character.isLetter(string.charAt(i))) {
                assertThat(text.origin(i)).as("%d of %s", i, string).isEqualTo(7);
            }
        }
    }

    @Test
    void generationBlocksTellWhatTheyWrote() {
        var rendering =
                Jinja.parse(
                                "a{% generation %}bc{% endgeneration %}d{% generation %}e{% endgeneration %}")
                        .render(Map.of());
        assertThat(rendering.text()).hasToString("abcde");
        assertThat(rendering.generated())
                .containsExactly(new Jinja.Stretch(1, 3), new Jinja.Stretch(4, 5));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '"',
            value = {
                "{% if x %};the template ends too early",
                "{% for x y %}{% endfor %};'in' is expected",
                "{{ 1 + }};'}}' is not expected here",
                "{{ 'a }};a string does not end",
                "{{ a ? b }};'?' is not expected",
                "{{ x;does not end",
                "{# x;does not end",
                "{% include 'x' %};the block 'include' is not known",
                "{% import os %};the block 'import' is not known",
                "{% endif %};the block 'endif' is not known",
                "{{ 9999999999999999999 }};too long"
            })
    void whatIsBrokenIsNamedWithItsLine(String template, String message) {
        assertThatThrownBy(() -> Jinja.parse("\n\n" + template))
                .isInstanceOf(JinjaException.class)
                .hasMessageContaining("line 3: ")
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '"',
            value = {
                "{{ 'a'|nope }};the filter 'nope' is not known",
                "{{ 1 is nope }};the test 'nope' is not known",
                "{{ 'a'.nope() }};no method 'nope'",
                "{{ nope() }};the function 'nope' is not known",
                "{{ nope.x }};'nope' is undefined",
                "{{ nope + 'a' }};'nope' is undefined",
                "{{ ''.__class__.__mro__ }};undefined",
                "{{ 1 / 0 }};division by 0",
                "{{ 'a' + 1 }};between a string and a number",
                "{% set x = 1 %}{% set x.y = 2 %};is no namespace"
            })
    void whatFailsSaysWhy(String template, String message) {
        assertThatThrownBy(() -> render(template))
                .isInstanceOf(JinjaException.class)
                .hasMessageContaining(message);
    }

    @Test
    void aHostileTemplateComesToAnEnd() {
        var hostile =
                List.of(
                        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
                        "{{ 'abc' * 1000000000000 }}",
                        "{% set ns = namespace(a='ab') %}{% for i in range(100) %}{% set ns.a = ns.a + ns.a %}{% endfor %}{{ ns.a }}",
                        "{% set ns = namespace(a=[1]) %}{% for i in range(100) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}",
                        "{% set ns = namespace(a=[1]) %}{% for i in range(9999) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a == ns.a }}{{ ns.a }}",
                        "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
                        "{{ 1 " + "+ 1 ".repeat(100_000) + "}}",
                        "{% set ns = namespace(a='a') %}{% for i in range(18) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}{% for i in range(1000) %}{{ (ns.a ~ 'b') in ns.a }}{% endfor %}",
                        "{{ 'x' | indent(1000000000) }}",
                        "{{ [1] | tojson(indent=1000000000) }}{{ 'a' * 99999999 }}");
        for (var template : hostile) {
            assertThatThrownBy(() -> render(template))
                    .as(template.substring(0, Math.min(80, template.length())))
                    .isInstanceOf(JinjaException.class);
        }
        assertThatThrownBy(() -> Jinja.parse("{{ " + "(".repeat(5000) + " }}"))
                .isInstanceOf(JinjaException.class)
                .hasMessageContaining("nested deeper");
        assertThatThrownBy(() -> Jinja.parse("{% if 1 %}".repeat(5000)))
                .isInstanceOf(JinjaException.class)
                .hasMessageContaining("nested deeper");
        assertThatThrownBy(() -> Jinja.parse("x".repeat((1 << 20) + 1)))
                .isInstanceOf(JinjaException.class)
                .hasMessageContaining("longer than");
    }

    @Test
    void aStepBeyondTheEndTakesOne() {
        var most = "9 * 999999999999999999 + 223372036854775807";
        assertThat(render("{{ 'abcdefghijklmnop'[12::" + most + "] }}")).isEqualTo("m");
        assertThat(render("{{ 'abcdefghijklmnop'[12::-(" + most + ")] }}")).isEqualTo("m");
        assertThat(render("{{ 'abcdef'[::5] }}{{ 'abcdef'[::-5] }}")).isEqualTo("affa");
    }

    @Test
    void aLongConversationIsNotTakenForAHostileOne() {
        var long_ = Text.given("word ".repeat(200_000), 0);
        var template = Jinja.parse("{% for m in ms %}{{ m | trim + '\n' }}{% endfor %}");
        var text = template.render(Map.of("ms", List.of(long_, long_, long_))).text();
        assertThat(text.length()).isEqualTo(3 * 1_000_000);
    }
}
