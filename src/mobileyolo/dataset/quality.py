from mobileyolo.dataset.kinds import Kind
QUALITY: tuple[Kind, ...] = ()
