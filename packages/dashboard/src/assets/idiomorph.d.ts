declare module 'idiomorph' {
  export const Idiomorph: {
    morph(
      old: Element,
      next: Element,
      options?: {
        callbacks?: {
          beforeNodeMorphed?: (node: Node, next: Node) => boolean
          beforeAttributeUpdated?: (name: string, node: Element, type: string) => boolean
        }
      },
    ): void
  }
}
