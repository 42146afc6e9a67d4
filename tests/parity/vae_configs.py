"""The small autoencoders on which parity is proved: the structure of the published ones, little width."""

BLOCKS = 4 * ["DownEncoderBlock2D"], 4 * ["UpDecoderBlock2D"]

CONFIGS = {
    # Stable Diffusion 1.5 and 2.1
    "sd15": dict(
        down_block_types=BLOCKS[0], up_block_types=BLOCKS[1], block_out_channels=(8, 12, 16, 16), layers_per_block=2,
        norm_num_groups=4, sample_size=32,
    ),
    # SDXL; some models of its kind give each channel's mean and deviation
    "sdxl": dict(
        down_block_types=BLOCKS[0], up_block_types=BLOCKS[1], block_out_channels=(4, 8, 12, 12), layers_per_block=2,
        norm_num_groups=2, sample_size=32, scaling_factor=0.13025, force_upcast=True,
        latents_mean=[-1.6, 1.1, 0.3, -0.2], latents_std=[8.4, 5.1, 0.7, 3.0],
    ),
    # every other supported value at once
    "variant": dict(
        in_channels=2, out_channels=5, down_block_types=BLOCKS[0][:2], up_block_types=BLOCKS[1][:2],
        block_out_channels=(6, 9), layers_per_block=1, act_fn="gelu", latent_channels=3, norm_num_groups=3,
        sample_size=16, scaling_factor=0.3611, shift_factor=0.1159, force_upcast=False, use_quant_conv=False,
        use_post_quant_conv=False, mid_block_add_attention=False,
    ),
}
