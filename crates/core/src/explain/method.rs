//! The table of explanation methods. A new one is a file beside this one that implements [`Explain`], and a line in `methods!` below: the page,
//! the command line, `localize`, reports and model cards have it then.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::{Explain, PER_CELL, hirescam, lime, occlusion};
use crate::asked::{Asked, Progress, Scored, Wants};
use crate::heat_map::HeatMap;
use crate::output::Output;
use crate::pictures::Pictures;
use crate::radiograph::Input;
use crate::view::View;

/// Writes the methods out: the enum of their names, and what holds any one of them or one of each.
macro_rules! methods {
    ($($method:ident($module:ident)),+ $(,)?) => {
        /// How a map is made.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schema", schemars(extend("enum" = Method::ALL.iter().map(|method| method.name()).collect::<Vec<_>>())))]
        #[serde(try_from = "String", into = "String")]
        pub enum Method {
            /// Grad-CAM needs no work of its own: every reading has its maps.
            #[default]
            GradCam,
            $($method,)+
        }

        impl Method {
            pub const ALL: &[Self] = &[Self::GradCam, $(Self::$method),+];

            /// As reports, manifests and options call it.
            pub fn name(self) -> &'static str {
                match self {
                    Self::GradCam => "grad-cam",
                    $(Self::$method => <$module::Explanation as Explain>::NAME,)+
                }
            }

            /// As people call it.
            pub fn title(self) -> &'static str {
                match self {
                    Self::GradCam => "Grad-CAM",
                    $(Self::$method => <$module::Explanation as Explain>::TITLE,)+
                }
            }

            /// What the map shows, before the name of a finding.
            pub fn shows(self) -> &'static str {
                match self {
                    Self::GradCam => "the model's evidence for",
                    $(Self::$method => <$module::Explanation as Explain>::SHOWS,)+
                }
            }

            /// What the work is counted in.
            pub fn counts(self) -> &'static str {
                match self {
                    Self::GradCam => "pictures",
                    $(Self::$method => <$module::Explanation as Explain>::COUNTS,)+
                }
            }

            /// Whether training on boxes taught its map to point at them.
            pub fn is_taught_by_boxes(self) -> bool {
                match self {
                    Self::GradCam => true,
                    $(Self::$method => <$module::Explanation as Explain>::TAUGHT_BY_BOXES,)+
                }
            }

            /// Whether many pictures are scored, which several engines can share.
            pub fn is_of_many(self) -> bool {
                match self {
                    Self::GradCam => false,
                    $(Self::$method => <$module::Explanation as Explain>::OF_MANY,)+
                }
            }

            /// Whether the map and the bias of the reading add up to the logit.
            pub fn adds_up(self) -> bool {
                match self {
                    Self::GradCam => true,
                    $(Self::$method => <$module::Explanation as Explain>::ADDS_UP,)+
                }
            }

            /// What a colour stands for.
            pub fn unit(self) -> &'static str {
                match self {
                    Self::GradCam => PER_CELL,
                    $(Self::$method => <$module::Explanation as Explain>::UNIT,)+
                }
            }
        }

        /// A method, and how its maps are to be made.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum Asking {
            $($method($module::Options),)+
        }

        impl Asking {
            pub fn method(&self) -> Method {
                match self {
                    $(Self::$method(_) => Method::$method,)+
                }
            }

            /// Begins the work.
            pub fn start(&self, view: &View, input: &Input) -> Job {
                match self {
                    $(Self::$method(options) => {
                        let job = <$module::Explanation as Explain>::start(view, input, options.clone());
                        Job::$method(Box::new(job))
                    })+
                }
            }
        }

        /// How the maps of each method are to be made.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Settings {
            $(pub $module: $module::Options,)+
        }

        impl Settings {
            /// What is to be asked for; `None` for the method that needs no work.
            pub fn asking(&self, method: Method) -> Option<Asking> {
                match method {
                    Method::GradCam => None,
                    $(Method::$method => Some(Asking::$method(self.$module.clone())),)+
                }
            }

            /// Takes over how an explanation was made.
            pub fn adopt(&mut self, asking: Asking) {
                match asking {
                    $(Asking::$method(options) => self.$module = options,)+
                }
            }
        }

        /// An explanation by one of the methods, for all findings.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum Explanation {
            $($method($module::Explanation),)+
        }

        impl Explanation {
            /// How it was made.
            pub fn asking(&self) -> Asking {
                match self {
                    $(Self::$method(made) => Asking::$method(made.options().clone()),)+
                }
            }

            pub fn method(&self) -> Method {
                self.asking().method()
            }

            /// Whether the explanation is all that is asked for, see [`Explain::is_complete`]. One by another method is not.
            pub fn is_complete(&self, asking: &Asking) -> bool {
                match (self, asking) {
                    $((Self::$method(made), Asking::$method(options)) => made.is_complete(options),)+
                    #[allow(unreachable_patterns)]
                    _ => false,
                }
            }

            /// The map for an output, see [`Explain::map`].
            pub fn map(&self, output: Output) -> Option<HeatMap> {
                match self {
                    $(Self::$method(made) => made.map(output),)+
                }
            }

            /// What is to be said beside the map for an output, see [`Explain::said`].
            pub fn said(&self, output: Output) -> String {
                match self {
                    $(Self::$method(made) => made.said(output),)+
                }
            }

            /// What the map for an output adds up to beside the logit, see [`Explain::account`].
            pub fn account(&self, output: Output) -> Option<Account> {
                match self {
                    $(Self::$method(made) => made.account(output),)+
                }
            }

            /// The work that makes the explanation again, see [`Explain::start_again`].
            pub fn start_again(&self, view: &View, input: &Input) -> Result<Job, String> {
                match self {
                    $(Self::$method(made) => Ok(Job::$method(Box::new(made.start_again(view, input)?))),)+
                }
            }
        }

        /// An explanation that is being made.
        #[derive(Debug)]
        pub enum Job {
            $($method(Box<<$module::Explanation as Explain>::Job>),)+
        }

        impl Asked for Job {
            type Outcome = Explanation;

            fn wants(&self) -> Wants {
                match self {
                    $(Self::$method(job) => job.wants(),)+
                }
            }

            fn next_pictures(&mut self, most: usize) -> Pictures {
                match self {
                    $(Self::$method(job) => job.next_pictures(most),)+
                }
            }

            fn push(&mut self, answers: Vec<Scored>) {
                match self {
                    $(Self::$method(job) => job.push(answers),)+
                }
            }

            fn progress(&self) -> Progress {
                match self {
                    $(Self::$method(job) => job.progress(),)+
                }
            }

            fn is_done(&self) -> bool {
                match self {
                    $(Self::$method(job) => job.is_done(),)+
                }
            }

            fn outcome(&self) -> Option<Explanation> {
                match self {
                    $(Self::$method(job) => job.outcome().map(Explanation::$method),)+
                }
            }
        }

        /// Explanations of one reading, one by each method at most.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct Explanations {
            $(
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $module: Option<$module::Explanation>,
            )+
        }

        impl Explanations {
            /// The one by a method, if it was made.
            pub fn by(&self, method: Method) -> Option<Explanation> {
                match method {
                    Method::GradCam => None,
                    $(Method::$method => self.$module.clone().map(Explanation::$method),)+
                }
            }

            /// Takes an explanation in, in place of the one by the same method.
            pub fn put(&mut self, explanation: Explanation) {
                match explanation {
                    $(Explanation::$method(made) => self.$module = Some(made),)+
                }
            }

            /// All that were made.
            pub fn all(&self) -> Vec<Explanation> {
                Method::ALL.iter().filter_map(|method| self.by(*method)).collect()
            }

            /// The map by a method as it is to be made, for an output: a map that was made otherwise is not it.
            pub fn map(&self, asking: &Asking, output: Output) -> Option<HeatMap> {
                match asking {
                    $(Asking::$method(options) => {
                        let made = self.$module.as_ref().filter(|made| made.options() == options)?;
                        made.map(output)
                    })+
                }
            }
        }
    };
}

methods! {
    Lime(lime),
    Hirescam(hirescam),
    Occlusion(occlusion),
}

impl Method {
    /// The method that reports compare Grad-CAM with where they do not say which: there was one other.
    pub const COMPARED_BEFORE: Self = Self::Lime;

    /// The method of this name.
    pub fn named(name: &str) -> Option<Self> {
        let mut methods = Self::ALL.iter().copied();
        methods.find(|method| method.name() == name)
    }
}

impl std::str::FromStr for Method {
    type Err = String;

    /// # Errors
    /// When no method is called so: those that there are are named.
    fn from_str(name: &str) -> Result<Self, String> {
        Self::named(name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|method| method.name()).collect();
            format!(
                "there is no method {name:?}; there are {}",
                names.join(", ")
            )
        })
    }
}

impl TryFrom<String> for Method {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<Method> for String {
    fn from(method: Method) -> Self {
        method.name().to_owned()
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.title())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_written_by_their_names_and_no_name_is_taken_twice() {
        for (place, method) in Method::ALL.iter().enumerate() {
            let json = serde_json::to_string(method).expect("JSON");
            assert_eq!(json, format!("{:?}", method.name()));
            assert_eq!(serde_json::from_str::<Method>(&json).ok(), Some(*method));
            let twice =
                |other: &Method| other.name() == method.name() || other.title() == method.title();
            assert!(!Method::ALL[..place].iter().any(twice));
            let asking = Settings::default().asking(*method);
            assert_eq!(
                asking.map_or(Method::GradCam, |asking| asking.method()),
                *method
            );
        }
        let error = "saliency".parse::<Method>().expect_err("no method");
        assert!(
            error.contains("grad-cam, lime, hirescam, occlusion"),
            "{error}"
        );
    }
}
