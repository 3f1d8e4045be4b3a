package dev.espalier;

import static com.tngtech.archunit.lang.conditions.ArchConditions.dependOnClassesThat;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.GeneralCodingRules;
import dev.espalier.torch.Scope;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// The rules of the architecture.
class ArchitectureTest {
    private static JavaClasses classes;

    @BeforeAll
    static void importClasses() {
        classes =
                new ClassFileImporter()
                        .withImportOption(new ImportOption.DoNotIncludeTests())
                        .importPackages("dev.espalier");
        // An import that finds nothing would keep every rule.
        assertThat(classes.size()).isGreaterThan(100);
    }

    @Test
    void onlyTorchSeesTheBinding() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.espalier.torch..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.bytedeco..")
                .check(classes);
    }

    @Test
    void noPublicSignatureOfTorchNamesTheBinding() {
        for (var type : classes) {
            type.getMethods().stream()
                    .filter(method -> method.getModifiers().contains(JavaModifier.PUBLIC))
                    .filter(method ->
                            method.getOwner().getModifiers().contains(JavaModifier.PUBLIC))
                    .forEach(method -> {
                        assertThat(isBinding(method.getRawReturnType()))
                                .as(method.getFullName())
                                .isFalse();
                        assertThat(method.getRawParameterTypes())
                                .as(method.getFullName())
                                .noneMatch(ArchitectureTest::isBinding);
                    });
        }
    }

    private static boolean isBinding(JavaClass type) {
        return type.getBaseComponentType().getPackageName().startsWith("org.bytedeco");
    }

    @Test
    void modelsKnowNothingOfTrainingDataAndRecipes() {
        noClasses()
                .that()
                .resideInAnyPackage("dev.espalier.nn..", "dev.espalier.model..")
                .should(
                        dependOnClassesThat(
                                JavaClass.Predicates.resideInAnyPackage(
                                        "dev.espalier.train..",
                                        "dev.espalier.data..",
                                        "dev.espalier.recipe..")))
                .check(classes);
    }

    /// Who opens scopes beside the loops of `train`, `optim`, `evaluate`, `generate` and `task`,
    /// and why: docs/decisions/004-who-opens-a-scope.md.
    private static final Set<String> SCOPES =
            Set.of(
                    "adapt.Lora",
                    "checkpoint.HuggingFace",
                    "model.VitBody",
                    "nn.Stack",
                    "objective.VocabularyLoss",
                    "parity.CaseCheck",
                    "parity.Parity",
                    "parity.TrajectoryCheck",
                    "parity.VisionCheck",
                    "plan.Machine");

    @Test
    void onlyLoopsOpenScopes() {
        var opening =
                classes.stream()
                        .flatMap(type -> type.getConstructorCallsFromSelf().stream())
                        .filter(call -> call.getTargetOwner().isEquivalentTo(Scope.class))
                        .map(call -> outermost(call.getOriginOwner()).getFullName())
                        .map(name -> name.substring("dev.espalier.".length()))
                        .filter(name ->
                                !name.matches("(torch|train|optim|evaluate|generate|task)\\..*"))
                        .collect(Collectors.toSet());
        // One that no longer opens any must leave the list, too.
        assertThat(opening).isEqualTo(SCOPES);
    }

    private static JavaClass outermost(JavaClass type) {
        return type.getEnclosingClass().map(ArchitectureTest::outermost).orElse(type);
    }

    @Test
    void packagesHaveNoCycles() {
        slices().matching("dev.espalier.(*)..").should().beFreeOfCycles().check(classes);
    }

    @Test
    void onlyTheCommandLinePrints() {
        GeneralCodingRules.NO_CLASSES_SHOULD_ACCESS_STANDARD_STREAMS.check(classes);
        noClasses().should().callMethod(System.class, "exit", int.class).check(classes);
    }

    @Test
    void everyPackageIsNullMarked() {
        for (var type : classes) {
            assertThat(type.getPackage().isAnnotatedWith(NullMarked.class))
                    .as(type.getPackageName())
                    .isTrue();
        }
    }

    /// What a recipe's keys are is told by its records alone, which is worth this one exception.
    @Test
    void onlyRecipesReflect() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.espalier.recipe..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("java.lang.reflect..")
                .check(classes);
    }

    @Test
    void nothingStaticChanges() {
        for (var type : classes) {
            type.getFields().stream()
                    .filter(field -> field.getModifiers().contains(JavaModifier.STATIC))
                    .filter(field -> !field.getModifiers().contains(JavaModifier.SYNTHETIC))
                    .filter(field -> !field.getName().startsWith("$"))
                    .forEach(field ->
                            assertThat(field.getModifiers())
                                    .as(field.getFullName())
                                    .contains(JavaModifier.FINAL));
        }
    }
}
