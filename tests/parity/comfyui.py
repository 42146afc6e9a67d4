"""ComfyUI's own loader of LoRAs on a small UNet, on the CPU: what the scripts beside this ask it for. Its code is brought by
whoever runs them (a checkout, with einops and torchsde in Python's path beside what its requirements name) and stays outside.
"""

import logging
import sys

import torch


class Messages(logging.Handler):
    """What it logs: a key that it does not load, it only mentions."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())

    def not_loaded(self):
        return [line for line in self.lines if "not loaded" in line.lower() or line.startswith("ERROR")]


def bring(checkout):
    """Makes `import comfy` work, on the CPU."""
    sys.path.insert(0, str(checkout))
    arguments, sys.argv = sys.argv, ["-", "--cpu"]
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.sd  # noqa: F401

    sys.argv = arguments


def unet_config(config):
    """Its names for a configuration of diffusers."""
    channels = config["block_out_channels"]
    blocks, layers = len(channels), config["layers_per_block"]
    depth = config["transformer_layers_per_block"]
    depth = [depth] * blocks if isinstance(depth, int) else list(depth)
    down = [d if "CrossAttn" in kind else 0 for d, kind in zip(depth, config["down_block_types"])]
    sizes = dict(
        image_size=32, in_channels=config["in_channels"], out_channels=config["out_channels"], model_channels=channels[0],
        channel_mult=[c // channels[0] for c in channels], num_res_blocks=[layers] * blocks, num_head_channels=-1,
        num_heads=1, use_spatial_transformer=True, context_dim=config["cross_attention_dim"], legacy=False,
        use_linear_in_transformer=config["use_linear_projection"], dtype=torch.float32,
        transformer_depth=[d for d in down for _ in range(layers)],
        transformer_depth_output=[d for d in down for _ in range(layers + 1)], transformer_depth_middle=depth[-1],
        adm_in_channels=None,
    )
    if config["addition_embed_type"] == "text_time":
        sizes |= dict(num_classes="sequential", adm_in_channels=config["projection_class_embeddings_input_dim"])
    return sizes


def patcher(config):
    """A model of that structure, as its loader takes it."""
    import comfy.model_base
    import comfy.model_patcher
    import comfy.ops
    import comfy.supported_models

    class Operations(comfy.ops.disable_weight_init):
        """It normalises in 32 groups, which so few channels have not; no LoRA is on norms."""

        class GroupNorm(comfy.ops.disable_weight_init.GroupNorm):
            def __init__(self, num_groups, num_channels, **options):
                super().__init__(min(num_groups, 4), num_channels, **options)

    described = comfy.supported_models.SD15(unet_config(config))
    described.custom_operations = Operations
    model = comfy.model_base.BaseModel(described, device=torch.device("cpu"))
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


def paths(config):
    """{its name of a weight: path in diffusers}"""
    import comfy.utils

    names = comfy.utils.unet_to_diffusers(unet_config(config))
    weights = {f"diffusion_model.{ldm}": path.removesuffix(".weight") for path, ldm in names.items()}
    # It calls SDXL's added embedding a class embedding.
    return {key: path.replace("class_embedding", "add_embedding") for key, path in weights.items() if key.endswith(".weight")}


def deltas(model, names, state):
    """{path: what the LoRA adds to its weight}, and what was not loaded."""
    import comfy.lora
    import comfy.sd

    messages = Messages()
    logging.getLogger().addHandler(messages)
    try:
        loaded, _ = comfy.sd.load_lora_for_models(model, None, dict(state), 1.0, 0.0)
        shapes = {key: weight.shape for key, weight in loaded.model.state_dict().items()}
        added = {
            names[key]: comfy.lora.calculate_weight(patches, torch.zeros(shapes[key]), key)
            for key, patches in loaded.patches.items()
        }
    finally:
        logging.getLogger().removeHandler(messages)
    return added, messages.not_loaded()
