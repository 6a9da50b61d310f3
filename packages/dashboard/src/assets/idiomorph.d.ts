declare module 'idiomorph' {
  export const Idiomorph: {
    morph(
      old: Element,
      next: Element,
      options?: { callbacks?: { beforeAttributeUpdated?: (name: string, node: Element, type: string) => boolean } },
    ): void
  }
}
