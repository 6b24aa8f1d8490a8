//! The plugin's face: [`Gate`], its builder, layer, service and handle.
