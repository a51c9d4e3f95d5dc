//! The tangent kernel of a PyTorch model, from the file that it was saved in.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::array;
use ntk_kernels::network::{Network, Parameterization, Shape, dense, relu};
use ntk_train::{Init, Model, Trace};
use safetensors::tensor::{Dtype, TensorView};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // What safetensors.torch.save_file writes of
    // nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)); else read it by std::fs::read.
    let numbers: Vec<u8> = (0..13_u8)
        .flat_map(|i| (f32::from(i) * 0.9).sin().to_le_bytes())
        .collect();
    let tensor = |axes: &[usize], first: usize| {
        let bytes = 4 * first..4 * (first + axes.iter().product::<usize>());
        TensorView::new(Dtype::F32, axes.to_vec(), &numbers[bytes])
    };
    let tensors = [
        ("0.weight", tensor(&[3, 2], 0)?),
        ("0.bias", tensor(&[3], 6)?),
        ("2.weight", tensor(&[1, 3], 9)?),
        ("2.bias", tensor(&[1], 12)?),
    ];
    let file = safetensors::serialize(tensors, None)?;

    let network = Network::new()
        .then(dense().width(3).b_std(1.0))
        .then(relu())
        .then(dense().width(1).b_std(1.0))
        .parameterization(Parameterization::Standard);
    let mut model = Model::<f64>::new(&network, &Shape::features(2), Init::default(), 0)?;
    model.load_pytorch(&file, None)?;
    let x = array![[1.0, 0.0], [0.6, 0.8], [-1.0, 0.5]];
    println!("outputs:\n{:.4}", model.forward(x.view())?);
    let ntk = model.ntk(x.view(), None, Trace::Traced, &())?;
    println!("NTK:\n{ntk:.4}");
    Ok(())
}
