use burn::tensor::{Device, Tensor, Distribution};
use sightline::network::*;
use burn::optim::{AdamWConfig, GradientsParams};
fn main() {
    let v = std::env::args().nth(1).unwrap();
    let b: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let fam = if v == "121" { Family::DenseNet } else { Family::EfficientNet };
    let dev = Device::flex().autodiff();
    let mut net = Network::new(&Architecture{family: fam, variant: v, in_channels: 3, head: Head::Linear}, 14, &dev).unwrap();
    let mut opt = AdamWConfig::new().init();
    for _ in 0..3 {
        let x = Tensor::<4>::random([b,3,224,224], Distribution::Normal(0.,1.), &dev);
        let t = std::time::Instant::now();
        let y = net.forward(x);
        let loss = (y.clone()*y).mean();
        println!("fwd {:?} loss {}", t.elapsed(), loss.clone().into_scalar::<f32>());
        let t = std::time::Instant::now();
        let g = loss.backward();
        println!("bwd {:?}", t.elapsed());
        let t = std::time::Instant::now();
        let g = GradientsParams::from_grads(g, &net);
        net = opt.step(1e-4, net, g);
        println!("opt {:?}", t.elapsed());
    }
}
