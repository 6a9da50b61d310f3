// <keepsend-portal src="https://app.example.com/webhooks/enter/…"></keepsend-portal>: the portal in a frame as high as its content.

const MIN_HEIGHT = 480

class KeepsendPortal extends HTMLElement {
  static readonly observedAttributes = ['src', 'label']
  readonly #frame = document.createElement('iframe')
  readonly #resize = (event: MessageEvent<{ keepsendPortalHeight?: unknown } | null>): void => {
    const height = event.source === this.#frame.contentWindow && event.data?.keepsendPortalHeight
    if (typeof height === 'number') this.#frame.height = String(Math.max(MIN_HEIGHT, Math.ceil(height)))
  }

  connectedCallback(): void {
    const frame = this.#frame
    frame.width = '100%'
    frame.height = String(MIN_HEIGHT)
    frame.allow = 'clipboard-write'
    frame.style.border = '0'
    this.style.display = 'block'
    this.replaceChildren(frame)
    addEventListener('message', this.#resize)
  }

  disconnectedCallback(): void {
    removeEventListener('message', this.#resize)
  }

  attributeChangedCallback(name: string, _old: string | null, value: string | null): void {
    if (name === 'label') this.#frame.title = value ?? ''
    // A script address would run in the page of the host.
    else if (value !== null && /^https?:$/.test(new URL(value, document.baseURI).protocol)) this.#frame.src = value
    else this.#frame.removeAttribute('src')
  }
}

if (!customElements.get('keepsend-portal')) customElements.define('keepsend-portal', KeepsendPortal)
