"""The small configurations on which parity is proved: the structure of the published models, little width."""

CONFIGS = {
    # pipelines/digits.ron
    "digits": dict(
        sample_size=8, in_channels=1, out_channels=1, block_out_channels=(16, 32), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8, cross_attention_dim=32, attention_head_dim=4,
    ),
    # Stable Diffusion 1.5
    "sd15": dict(
        sample_size=16, block_out_channels=(8, 16, 24, 24), norm_num_groups=4, cross_attention_dim=12,
        attention_head_dim=2,
    ),
    # Stable Diffusion 2.1: linear projections, heads that grow with the width
    "sd21": dict(
        sample_size=16, block_out_channels=(8, 16, 24, 24), norm_num_groups=4, cross_attention_dim=20,
        attention_head_dim=(1, 2, 3, 3), use_linear_projection=True, upcast_attention=True,
    ),
    # SDXL: text_time embedding, depth that grows with the block
    "sdxl": dict(
        sample_size=16, block_out_channels=(8, 16, 24), norm_num_groups=4, cross_attention_dim=20,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(1, 2, 3), use_linear_projection=True, transformer_layers_per_block=(1, 2, 3),
        addition_embed_type="text_time", addition_time_embed_dim=4, projection_class_embeddings_input_dim=10 + 6 * 4,
    ),
    # every other supported value at once
    "variant": dict(
        sample_size=(8, 10), in_channels=3, out_channels=6, block_out_channels=(8, 12), layers_per_block=(2, 1),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        norm_num_groups=2, norm_eps=1e-3, cross_attention_dim=(6, 6), attention_head_dim=(2, 3), act_fn="mish",
        flip_sin_to_cos=False, freq_shift=1, downsample_padding=0, mid_block_scale_factor=1.5,
        resnet_time_scale_shift="scale_shift",
    ),
}

# The published models in their full size, as far as they differ from diffusers' defaults.
FULL = {
    "sd15": dict(sample_size=64, cross_attention_dim=768),
    "sd21": dict(
        sample_size=96, cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True,
    ),
    "sdxl": dict(
        sample_size=128, block_out_channels=(320, 640, 1280), cross_attention_dim=2048,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(5, 10, 20), use_linear_projection=True, transformer_layers_per_block=(1, 2, 10),
        addition_embed_type="text_time", addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
    ),
}
