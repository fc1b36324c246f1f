//! A dense block as an operation of Burn's, with its gradient.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::{Block, Kept};
use crate::network::cpu::{tensor, values};

/// A block's map `[batch, channels, h, w]` of its input `[batch, inputs, h, w]` and its parameters, and the means and biased
/// variances by channel: of the map's channels, then of each layer's bottleneck.
pub fn dense_block(
    x: Tensor<4>,
    parameters: Tensor<1>,
    block: Block,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    let (x, parameters) = (x.into_dispatch(), parameters.into_dispatch());
    let (map, mean, variance) = Dispatch::dense_block(x, parameters, block);
    (
        Tensor::from_dispatch(map),
        Tensor::from_dispatch(mean),
        Tensor::from_dispatch(variance),
    )
}

#[backend_extension(Flex, Autodiff)]
trait DenseBlock: Backend {
    fn dense_block(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        block: Block,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

impl DenseBlock for Flex {
    fn dense_block(
        x: FlexTensor,
        parameters: FlexTensor,
        block: Block,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (map, kept) = forward(&x.to_contiguous(), &parameters.to_contiguous(), &block);
        let [mean, variance] = statistics(&kept);
        (map, mean, variance)
    }
}

impl<C: CheckpointStrategy> DenseBlock for Autodiff<Flex, C> {
    fn dense_block(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        block: Block,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        #[derive(Clone, Debug)]
        struct State {
            map: FlexTensor,
            parameters: FlexTensor,
            kept: Kept,
            block: Block,
        }

        #[derive(Debug)]
        struct Gradient;

        impl Backward<Flex, 2> for Gradient {
            type State = State;

            fn backward(
                self,
                ops: Ops<Self::State, 2>,
                grads: &mut Gradients,
                _checkpointer: &mut Checkpointer,
            ) {
                let dmap = grads.consume::<Flex>(&ops.node).into_data();
                let dmap = dmap.try_into_vec().expect("training is in 32 bits");
                let State {
                    map,
                    parameters,
                    kept,
                    block,
                } = ops.state;
                let (dx, dparameters) =
                    block.backward(values(&map), &kept, values(&parameters), dmap);
                let [of_x, of_parameters] = ops.parents;
                if let Some(node) = of_x {
                    let shape = [block.batch, block.inputs, block.height, block.width];
                    grads.register::<Flex>(node.id, tensor(dx, shape));
                }
                if let Some(node) = of_parameters {
                    let count = dparameters.len();
                    grads.register::<Flex>(node.id, tensor(dparameters, [count]));
                }
            }
        }

        let nodes = [x.node(), parameters.node()];
        let [x, parameters] = [&x, &parameters].map(|t| t.primitive().to_contiguous());
        let (map, kept) = forward(&x, &parameters, &block);
        let [mean, variance] = statistics(&kept);
        let map = match Gradient.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let state = State {
                    map: map.clone(),
                    parameters,
                    kept,
                    block,
                };
                prepared.finish(state, map)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(map),
        };
        (
            map,
            FloatTensor::<Self>::new(mean),
            FloatTensor::<Self>::new(variance),
        )
    }
}

fn forward(x: &FlexTensor, parameters: &FlexTensor, block: &Block) -> (FlexTensor, Kept) {
    let [batch, inputs, height, width] = x.shape().dims();
    assert_eq!(
        [batch, inputs, height, width],
        [block.batch, block.inputs, block.height, block.width]
    );
    let (map, kept) = block.forward(values(x), values(parameters));
    (tensor(map, [batch, block.channels(), height, width]), kept)
}

/// Means and variances: the map's, then the bottlenecks'.
fn statistics(kept: &Kept) -> [FlexTensor; 2] {
    let all = || std::iter::once(&kept.map).chain(&kept.bottlenecks);
    let mean: Vec<f32> = all().flat_map(|s| s.mean.clone()).collect();
    let variance: Vec<f32> = all().flat_map(|s| s.variance.clone()).collect();
    [mean, variance].map(|values| {
        let count = values.len();
        tensor(values, [count])
    })
}
