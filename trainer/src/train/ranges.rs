//! Which numbers a recipe may have. What lies outside would panic in the middle of a training, or train nothing.

use std::fmt::Display;

use anyhow::{Result, bail};
use sightline::radiograph::Resize;

use super::config::{HoldOut, Optimizer, Recipe, Schedule};
use super::loss::Loss;
use crate::data::Uncertain;
use crate::data::augment::Augmentation;

/// Names the field and its value where it is not what it must be. NaN holds nothing.
fn require(field: &str, value: impl Display, holds: bool, must_be: &str) -> Result<()> {
    if !holds {
        bail!("{field} must be {must_be}, and is {value}");
    }
    Ok(())
}

fn share(field: &str, value: f32) -> Result<()> {
    require(field, value, (0.0..=1.0).contains(&value), "in 0..1")
}

fn weight(field: &str, value: f32) -> Result<()> {
    let holds = (0.0..=1e6).contains(&value);
    require(field, value, holds, "0 or more, at most 1e6")
}

impl Recipe {
    /// # Errors
    /// When the recipe cannot be followed: the field is named, and its value.
    pub fn check(&self) -> Result<()> {
        self.input.check()?;
        if self.input.resize != Resize::Stretch {
            bail!(
                "training crops from the whole picture; the recipe's input.resize must be \"stretch\""
            );
        }
        let channels = self.architecture.in_channels;
        require(
            "input.channels",
            self.input.channels,
            self.input.channels == channels,
            &format!("architecture.in_channels, {channels}"),
        )?;
        let holds = (2..=4096).contains(&self.batch);
        require("batch", self.batch, holds, "2 or more, at most 4096")?;
        for (field, count, most) in [
            ("epochs", self.epochs, 10_000),
            ("accumulate", self.accumulate, 4096),
            ("patience", self.patience, 10_000),
        ] {
            let rule = format!("1 or more, at most {most}");
            require(field, count, (1..=most).contains(&count), &rule)?;
        }
        let rate = self.learning_rate;
        let holds = rate > 0.0 && rate <= 100.0;
        require("learning_rate", rate, holds, "above 0, at most 100")?;
        self.schedule.check(self.epochs)?;
        if let Optimizer::AdamW { weight_decay } = self.optimizer {
            weight("optimizer.adam_w.weight_decay", weight_decay)?;
        }
        let decay = self.average_decay;
        let holds = (0.0..1.0).contains(&decay);
        require("average_decay", decay, holds, "0 or more, below 1")?;
        let most = self.positive_weight;
        let holds = (1.0..=1e6).contains(&most);
        require("positive_weight", most, holds, "1 or more, at most 1e6")?;
        self.loss.check()?;
        self.augmentation.check()?;
        self.labels.uncertain.check("labels.uncertain")?;
        for (finding, uncertain) in &self.labels.uncertain_of {
            if finding.place().is_none() {
                bail!("labels.uncertain_of: {finding} is none of CheXpert's observations");
            }
            uncertain.check(&format!("labels.uncertain_of.{finding}"))?;
        }
        if let Some(teacher) = &self.teacher {
            share("teacher.weight", teacher.weight)?;
        }
        if let Some(distillation) = &self.distillation {
            weight("distillation.features", distillation.features)?;
            weight("distillation.logits", distillation.logits)?;
        }
        if let Some(pointing) = &self.pointing {
            weight("pointing.weight", pointing.weight)?;
        }
        if let Some(shares) = self.data.hold_out {
            shares.check()?;
        }
        if let Some(part) = &self.data.unselected {
            let holds = part
                .split_once('=')
                .is_some_and(|(name, _)| !name.is_empty());
            require("data.unselected", part, holds, "COLUMN=VALUE")?;
        }
        Ok(())
    }
}

impl Schedule {
    fn check(self, epochs: usize) -> Result<()> {
        match self {
            Schedule::Cosine { warmup_epochs } => require(
                "schedule.cosine.warmup_epochs",
                warmup_epochs,
                (0.0..=epochs as f64).contains(&warmup_epochs),
                &format!("0 or more, at most the {epochs} epochs"),
            ),
            Schedule::Step { gamma } => require(
                "schedule.step.gamma",
                gamma,
                gamma > 0.0 && gamma <= 1.0,
                "above 0, at most 1",
            ),
        }
    }
}

impl Loss {
    fn check(self) -> Result<()> {
        match self {
            Loss::Bce => Ok(()),
            Loss::Asymmetric {
                positive_focus,
                negative_focus,
                margin,
            } => {
                weight("loss.asymmetric.positive_focus", positive_focus)?;
                weight("loss.asymmetric.negative_focus", negative_focus)?;
                let holds = (0.0..1.0).contains(&margin);
                let must_be = "0 or more, below 1";
                require("loss.asymmetric.margin", margin, holds, must_be)
            }
            Loss::AucMargin { margin } => share("loss.auc_margin.margin", margin),
        }
    }
}

impl Augmentation {
    fn check(&self) -> Result<()> {
        let rotation = self.rotation;
        let holds = (0.0..=180.0).contains(&rotation);
        require("augmentation.rotation", rotation, holds, "in 0..180")?;
        let (from, to) = self.crop;
        require(
            "augmentation.crop",
            format!("{from} to {to}"),
            from >= 0.05 && from <= to && to <= 2.0,
            "from 0.05 to at most 2, the smaller first",
        )?;
        for (field, factor) in [
            ("augmentation.stretch", self.stretch),
            ("augmentation.contrast", self.contrast),
        ] {
            let holds = (1.0..=10.0).contains(&factor);
            require(field, factor, holds, "in 1..10 (1 changes nothing)")?;
        }
        share("augmentation.brightness", self.brightness)?;
        share("augmentation.flip", self.flip)
    }
}

impl Uncertain {
    fn check(self, field: &str) -> Result<()> {
        let Uncertain::Uniform(low, high) = self else {
            return Ok(());
        };
        require(
            &format!("{field}.uniform"),
            format!("{low} to {high}"),
            0.0 <= low && low <= high && high <= 1.0,
            "in 0..1, the smaller first",
        )
    }
}

impl HoldOut {
    fn check(self) -> Result<()> {
        let HoldOut { valid, test } = self;
        let holds = valid > 0.0 && valid < 1.0;
        require("data.hold_out.valid", valid, holds, "above 0, below 1")?;
        let holds = (0.0..1.0).contains(&test);
        require("data.hold_out.test", test, holds, "0 or more, below 1")?;
        let sum = valid + test;
        let must_be = "together below 1 (the rest is trained on)";
        require("data.hold_out", sum, sum < 1.0, must_be)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A recipe that has every numeric field.
    fn recipe() -> Value {
        let text = include_str!("../../configs/efficientnet-lite0-nih-labels.json");
        let mut recipe: Value = serde_json::from_str(text).expect("JSON");
        recipe["data"]["hold_out"] = json!({ "valid": 0.1, "test": 0.0 });
        recipe["labels"]["uncertain_of"] = json!({ "Edema": { "uniform": [0.1, 0.2] } });
        recipe["teacher"] = json!({ "csv": "teacher.csv", "weight": 0.5 });
        recipe["distillation"] = json!({ "package": "teacher", "features": 1.0, "logits": 1.0 });
        recipe["pointing"] = json!({ "csv": "boxes.csv", "weight": 1.0 });
        recipe["positive_weight"] = json!(2.0);
        recipe["accumulate"] = json!(1);
        recipe["augmentation"]["flip"] = json!(0.0);
        recipe["loss"] = json!({ "asymmetric":
            { "positive_focus": 1.0, "negative_focus": 1.0, "margin": 0.05 } });
        recipe
    }

    fn check(recipe: Value) -> Result<()> {
        serde_json::from_value::<Recipe>(recipe)?.check()
    }

    fn at<'a>(recipe: &'a mut Value, place: &str) -> &'a mut Value {
        let place = format!("/{}", place.replace('.', "/"));
        recipe
            .pointer_mut(&place)
            .unwrap_or_else(|| panic!("no {place}"))
    }

    #[test]
    fn a_number_out_of_its_range_is_refused_by_its_name() {
        check(recipe()).expect("a recipe");
        for (field, values) in [
            ("epochs", vec![json!(0)]),
            ("batch", vec![json!(0), json!(1)]),
            ("accumulate", vec![json!(0)]),
            ("patience", vec![json!(0)]),
            ("learning_rate", vec![json!(0.0), json!(-1e-3), json!(1e9)]),
            (
                "optimizer.adam_w.weight_decay",
                vec![json!(-0.1), json!(1e39)],
            ),
            ("average_decay", vec![json!(-0.1), json!(1.0)]),
            (
                "positive_weight",
                vec![json!(0.5), json!(-2.0), json!(1e39)],
            ),
            (
                "schedule.cosine.warmup_epochs",
                vec![json!(-1.0), json!(6.0)],
            ),
            ("loss.asymmetric.positive_focus", vec![json!(-1.0)]),
            ("loss.asymmetric.negative_focus", vec![json!(1e39)]),
            ("loss.asymmetric.margin", vec![json!(-0.1), json!(1.0)]),
            ("augmentation.rotation", vec![json!(-1.0), json!(181.0)]),
            (
                "augmentation.crop",
                vec![
                    json!([1.0, 0.8]),
                    json!([0.0, 1.0]),
                    json!([-0.5, 1.0]),
                    json!([0.5, 1e39]),
                ],
            ),
            (
                "augmentation.stretch",
                vec![json!(0.9), json!(0.0), json!(1e39)],
            ),
            ("augmentation.contrast", vec![json!(0.5), json!(-1.0)]),
            ("augmentation.brightness", vec![json!(-0.1), json!(1.5)]),
            ("augmentation.flip", vec![json!(-0.1), json!(1.1)]),
            (
                "labels.uncertain.uniform",
                vec![json!([0.7, 0.3]), json!([-0.1, 0.5]), json!([0.5, 1.1])],
            ),
            ("labels.uncertain_of.Edema.uniform", vec![json!([0.7, 0.3])]),
            ("teacher.weight", vec![json!(-0.1), json!(1.1)]),
            ("distillation.features", vec![json!(-1.0), json!(1e39)]),
            ("distillation.logits", vec![json!(-1.0)]),
            ("pointing.weight", vec![json!(-1.0)]),
            (
                "data.hold_out.valid",
                vec![json!(0.0), json!(-0.1), json!(1.0)],
            ),
            ("data.hold_out.test", vec![json!(-0.1), json!(1.0)]),
            ("data.unselected", vec![json!("Repo"), json!("=here")]),
            ("input.channels", vec![json!(1)]),
        ] {
            for value in values {
                let mut recipe = recipe();
                *at(&mut recipe, field) = value.clone();
                if field == "input.channels" {
                    recipe["input"]["mean"] = json!([0.5]);
                    recipe["input"]["std"] = json!([0.5]);
                }
                let error = check(recipe).expect_err(field).to_string();
                assert!(
                    error.contains(&format!("{field} must be")),
                    "{value}: {error}"
                );
            }
        }
        let mut both = recipe();
        both["data"]["hold_out"] = json!({ "valid": 0.5, "test": 0.5 });
        let error = check(both).expect_err("nothing is left").to_string();
        assert!(
            error.contains("data.hold_out must be together below 1"),
            "{error}"
        );
        let mut step = recipe();
        for gamma in [0.0, -0.5, 1.5] {
            step["schedule"] = json!({ "step": { "gamma": gamma } });
            let error = check(step.clone()).expect_err("a factor").to_string();
            assert!(error.contains("schedule.step.gamma must be"), "{error}");
        }
        step["schedule"] = json!({ "step": { "gamma": 0.5 } });
        step["loss"] = json!({ "auc_margin": { "margin": 2.0 } });
        let error = check(step).expect_err("a margin").to_string();
        assert!(error.contains("loss.auc_margin.margin must be"), "{error}");
    }

    /// Whoever adds a number to recipes is reminded of its range: NaN, which JSON cannot say but a program can, holds none.
    #[test]
    fn no_number_of_a_recipe_may_be_none() {
        let sound: Recipe = serde_json::from_value(recipe()).expect("a recipe");
        let poison: [fn(&mut Recipe); 8] = [
            |recipe| recipe.learning_rate = f64::NAN,
            |recipe| recipe.average_decay = f64::NAN,
            |recipe| recipe.positive_weight = f32::NAN,
            |recipe| recipe.schedule = Schedule::Step { gamma: f64::NAN },
            |recipe| recipe.augmentation.crop = (f32::NAN, 1.0),
            |recipe| recipe.augmentation.stretch = f32::NAN,
            |recipe| recipe.labels.uncertain = Uncertain::Uniform(f32::NAN, 1.0),
            |recipe| recipe.input.std = vec![f32::INFINITY; 3],
        ];
        for poison in poison {
            let mut recipe = sound.clone();
            poison(&mut recipe);
            recipe.check().expect_err("no number");
        }
    }
}
