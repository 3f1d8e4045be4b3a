package dev.espalier.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class PlanTest {
    private static final Anatomy GPT2 = Anatomy.near(85e6, 50_257, 1024);

    private static Hardware table(@Nullable Double watts, @Nullable Double perHour) {
        return new Hardware(
                "2026-01-31",
                null,
                "EUR",
                0.5,
                List.of(new Hardware.Kind("card", 1.0, 2.0, 0.5, 8.0, watts, perHour, null)));
    }

    private static Plan plan(Hardware hardware, boolean recompute) {
        return plan(hardware, recompute, true, true);
    }

    private static Plan plan(
            Hardware hardware, boolean recompute, boolean bf16, boolean bf16Elsewhere) {
        return plan(hardware, recompute, bf16, bf16Elsewhere, 0, 0);
    }

    private static Plan plan(
            Hardware hardware,
            boolean recompute,
            boolean bf16,
            boolean bf16Elsewhere,
            double before,
            long taken) {
        var pass = new Cost.Pass(4, 1024, 0, 1, 1, bf16, recompute, GPT2.parameterCount(), false);
        var request =
                new Plan.Request(
                        "plan",
                        GPT2,
                        pass,
                        new Plan.Work(
                                "tokens",
                                1000.0,
                                4096,
                                0,
                                4096e3,
                                1024e3,
                                4.0,
                                before,
                                new Plan.Evaluation(5, 100, 5e14)),
                        1e9,
                        1e8,
                        8 * GPT2.parameterCount(),
                        0,
                        0,
                        true,
                        bf16Elsewhere);
        return Plan.of(
                request,
                new Plan.Here(500.0, "now", 1L << 40, taken),
                hardware,
                History.NONE,
                List.of());
    }

    @Test
    void aModelOfThePublishedSizeHasThePublishedShape() {
        assertThat(GPT2.layers()).isEqualTo(12);
        assertThat(GPT2.width()).isEqualTo(768);
        assertThat(GPT2.parameterCount()).isEqualTo(124_439_808);
    }

    @Test
    void timeAndMoneyFollowFromTheTable() {
        var machine = plan(table(1000.0, null), false).machines().getLast();
        // 4.096e15 operations at half of 2e12 a second.
        assertThat(machine.seconds()).isCloseTo(4096, within(1e-6));
        // 5e14 more of the evaluations.
        assertThat(machine.evaluating()).isCloseTo(500, within(1e-6));
        assertThat(machine.all()).isCloseTo(4596, within(1e-6));
        assertThat(machine.kilowattHours()).isCloseTo(4596.0 / 3600, within(1e-9));
        assertThat(machine.price()).isCloseTo(0.5 * 4596 / 3600, within(1e-9));
        // Where it is rented, electricity is in the price.
        assertThat(plan(table(1000.0, 3.6), false).machines().getLast().price())
                .isCloseTo(4.596, within(1e-9));
        assertThat(plan(table(null, null), false).machines().getLast().price()).isNull();
    }

    /// What this processor lacks, a card may have.
    @Test
    void aCardMultipliesAsItCanAndNotAsThisMachineCan() {
        for (var bf16 : new boolean[] {false, true}) {
            var table = table(null, null);
            // 4.096e15 operations at half of 2e12 a second, or of 1e12.
            assertThat(plan(table, false, bf16, true).machines().getLast().seconds())
                    .isCloseTo(4096, within(1e-6));
            assertThat(plan(table, false, bf16, false).machines().getLast().seconds())
                    .isCloseTo(8192, within(1e-6));
        }
    }

    @Test
    void thisMachineIsFirstWhereverTheTableHasIt() {
        var kinds = new ArrayList<>(table(1000.0, null).machines());
        kinds.add(new Hardware.Kind(Hardware.HERE, null, null, null, null, null, 3.6, null));
        for (var machines : List.of(kinds, kinds.subList(0, 1), List.<Hardware.Kind>of())) {
            var hardware = new Hardware("2026-01-31", null, "EUR", null, machines);
            var plan = plan(hardware, false);
            assertThat(plan.machines()).hasSize(1 + Math.min(1, machines.size()));
            assertThat(plan.here().machine()).isEqualTo(Hardware.HERE);
            // 4.096e6 tokens, 500 a second.
            assertThat(plan.here().seconds()).isEqualTo(8192);
            if (machines.size() == 2) {
                assertThat(plan.here().price()).isCloseTo(9.192, within(1e-9));
            } else {
                assertThat(plan.here().price()).isNull();
            }
        }
    }

    /// Operations that are made before the first step take their time too.
    @Test
    void whatComesBeforeTheStepsIsAPartOfThePlan() {
        var plan = plan(table(null, null), false, true, true, 1e14, 0);
        assertThat(plan.operations().all()).isEqualTo(41.96e14);
        // 500 tokens of 1e9 operations a second here, 1e12 there.
        assertThat(plan.here().seconds()).isCloseTo(8192 + 200, within(1e-6));
        assertThat(plan.machines().getLast().seconds()).isCloseTo(4096 + 100, within(1e-6));
        assertThat(PlanPage.text(plan, table(null, null)))
                .contains(
                        "operations before the first step",
                        "evaluations",
                        "operations of all of them");
    }

    /// A machine where steps like these took more than the formula has is not told that they fit.
    @Test
    void whatWasSeenHereBoundsWhatFitsHereAndNotElsewhere() {
        var taken = 2L << 40;
        var table = table(null, null);
        var formula = plan(table, false).training().total();
        assertThat(plan(table, false).peak()).isEqualTo(formula);
        assertThat(plan(table, false).here().fits()).isTrue();
        var plan = plan(table, false, true, true, 0, taken);
        assertThat(plan.training().total()).isEqualTo(formula);
        assertThat(plan.peak()).isEqualTo(taken);
        assertThat(plan.here().fits()).isFalse();
        assertThat(plan.machines().getLast().fits())
                .isEqualTo(plan(table, false).machines().getLast().fits());
        assertThat(PlanPage.text(plan, table)).contains("seen on this machine");
        // Less than the formula says nothing.
        assertThat(plan(table, false, true, true, 0, 1).peak()).isEqualTo(formula);
    }

    @Test
    void recomputationKeepsLessAndSoFits() {
        var kept = plan(table(null, null), false);
        assertThat(kept.recomputed()).isEqualTo(plan(table(null, null), true).training());
        assertThat(kept.recomputed().activations()).isLessThan(kept.training().activations() / 4);
        assertThat(kept.training().total() - kept.recomputed().total())
                .isEqualTo(kept.training().activations() - kept.recomputed().activations());
        assertThat(kept.machines().getLast().fits()).isEqualTo(kept.training().total() <= 8L << 30);
        // 12 layers of keys and values, 768 wide, in fp32.
        assertThat(kept.inference().cache()).isEqualTo(2L * 12 * 768 * 1024 * 4);
    }

    /// By hand, of GPT-2 with 4 x 1024 tokens: a block keeps 16 x 768 numbers of each, a frozen one
    /// what it gave, of which one is there at a time where all are; three more stand around them.
    @Test
    void aFrozenBlockKeepsWhatItGave() {
        double number = 4 * 768.0 * 4096;
        assertThat(activations(0)).isCloseTo(number * (12 * 16 + 3), within(1.0));
        assertThat(activations(9)).isCloseTo(number * (9 + 3 * 16 + 3), within(1.0));
        assertThat(activations(12)).isCloseTo(number * (12 + 16 + 3), within(1.0));
    }

    private static double activations(int frozen) {
        var pass = new Cost.Pass(4, 1024, 0, 1, 0, false, false, 1, false, frozen);
        return Cost.trainingMemory(GPT2, pass, 0, 0, 0).activations();
    }

    @Test
    void repeatedTokensAreWorthLessTheOftenerTheyAre() {
        assertThat(Plan.worth(50, 100)).isEqualTo(50);
        assertThat(Plan.worth(100, 100)).isEqualTo(100);
        // Muennighoff et al. 2023, section 5: up to four epochs are almost as good as new tokens,
        // and 16.4 = 1 + R* is all that any number of passes is worth.
        assertThat(Plan.worth(400, 100) / 400).isBetween(0.9, 0.95);
        assertThat(Plan.worth(1e9, 100)).isCloseTo(100 * (1 + 15.39), within(1e-6));
        var deserved = Objects.requireNonNull(plan(table(null, null), false).deserved());
        assertThat(deserved.tokens()).isEqualTo(20.0 * GPT2.parameterCount());
        assertThat(deserved.epochs()).isCloseTo(deserved.tokens() / 1024e3, within(1e-9));
    }

    @Test
    void theLargestModelIsWithinEveryBudgetAndTheNextIsNot() {
        var prices = Largest.Prices.on(table(1000.0, null).machines().getFirst(), 0.5);
        for (var budget :
                List.of(
                        new Largest.Budget(1e6, null, null),
                        new Largest.Budget(null, 10.0, null),
                        new Largest.Budget(null, null, 4L << 30),
                        new Largest.Budget(1e6, 10.0, 1L << 30))) {
            var found = Largest.of(budget, model -> 1e12, prices, 1000, 256, true, 0);
            assertThat(found.seconds()).isLessThanOrEqualTo(or(budget.seconds(), 1e99));
            assertThat(found.price()).isLessThanOrEqualTo(or(budget.price(), 1e99));
            var room = budget.memory();
            assertThat(found.memory()).isLessThanOrEqualTo(room == null ? Long.MAX_VALUE : room);
            assertThat(found.tokens()).isEqualTo(20.0 * found.model().parameterCount());
            var limit =
                    switch (found.limit()) {
                        case "time" -> found.seconds() / or(budget.seconds(), 0);
                        case "money" -> or(found.price(), 0) / or(budget.price(), 0);
                        default ->
                                (double) found.memory() / Objects.requireNonNull(budget.memory());
                    };
            // Widths go by 64, so sizes do not lie close.
            assertThat(limit).as(found.limit()).isBetween(0.4, 1.0);
        }
        assertThatThrownBy(() ->
                        Largest.of(
                                new Largest.Budget(1.0, null, null),
                                model -> 1e6,
                                prices,
                                1000,
                                256,
                                true,
                                0))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("time");
    }

    /// Copies of the weights in bf16 are not kept where there is none.
    @Test
    void theLargestModelIsOfTheTypeThatTheMachineMultipliesIn() {
        var prices = Largest.Prices.on(table(1000.0, null).machines().getFirst(), 0.5);
        var budget = new Largest.Budget(1e6, null, null);
        var memory = new long[2];
        for (var bf16 : new boolean[] {false, true}) {
            var found = Largest.of(budget, model -> 1e12, prices, 1000, 256, bf16, 0);
            var model = found.model();
            var weights = model.parameterCount();
            var pass = new Cost.Pass(1, 256, 0, 1, 1, bf16, false, weights, false);
            memory[bf16 ? 1 : 0] = found.memory();
            assertThat(found.memory())
                    .isEqualTo(Cost.trainingMemory(model, pass, 8 * weights, 0, 0).total());
        }
        assertThat(memory[0]).isNotEqualTo(memory[1]);
    }

    /// Nothing is written by what only reads.
    @Test
    void aTokenWrittenCostsWhatIsNotComputedYet() {
        var parts = new LinkedHashMap<String, Long>();
        parts.put("vit.encoder.weight", 1000L);
        var encoder = Anatomy.of(Json.mapper().readTree("{\"model_type\": \"bert\"}"));
        var vit = operations(Anatomy.seeing("vit", 1, parts));
        assertThat(vit.perTokenWritten()).isNull();
        assertThat(operations(encoder).perTokenWritten()).isNull();
        // By hand: each weight once, and 1024 keys and values of each of twelve blocks.
        assertThat(operations(GPT2).perTokenWritten())
                .isCloseTo(2 * 123_653_376.0 + 12 * 4.0 * 1024 * 768, within(1e-3));
        // The encoder is done, and so are keys and values of what it gave, of which there are 512.
        var decoder =
                6 * (6.0 * 512 * 512 + 2 * 512 * 2048) + 32_128.0 * 512 + 32 * 512 + 2 * 32 * 8;
        assertThat(operations(AnatomyTest.t5Small()).perTokenWritten())
                .isCloseTo(2 * decoder + 6 * 4.0 * (512 + 512) * 512, within(1e-3));
    }

    private static Plan.Operations operations(Anatomy model) {
        var pass = new Cost.Pass(4, 16, 0, 1, 1, false, false, 1, false);
        var work = new Plan.Work("tokens", null, 64, 0, null, null, null, 0, null);
        var request = new Plan.Request("plan", model, pass, work, 1e9, null, 0, 0, 0, false, true);
        var here = new Plan.Here(null, "", 0, 0);
        return Plan.of(request, here, table(null, null), History.NONE, List.of()).operations();
    }

    private static double or(@Nullable Double value, double otherwise) {
        return value == null ? otherwise : value;
    }
}
