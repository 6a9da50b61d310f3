import { Icon } from './icon.tsx'

/** Copies `text`, or the text before it; hidden where there is no script. */
export function Copy({ label, text, copied }: { label: string; text?: string; copied?: string }) {
  return (
    <button class="copy js" type="button" data-copy={text ?? ''} data-copied={copied} aria-label={label} title={label}>
      <Icon name="copy" />
    </button>
  )
}
