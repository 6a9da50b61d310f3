/**
 * A process may load several copies of a package: Next.js bundles one into each route, and npm may install two versions
 * side by side. Objects made by one copy are then passed to functions of another.
 */

/**
 * Makes `instanceof` recognize the instances that other copies of the class made. A subclass is not affected.
 *
 * @param name the package and the class, the same in every copy
 */
export function shareInstances(type: { readonly prototype: object }, name: string): void {
  const brand = Symbol.for(name)
  Object.defineProperty(type.prototype, brand, { value: true })
  Object.defineProperty(type, Symbol.hasInstance, {
    value(this: unknown, one: unknown): boolean {
      if (this !== type) return Function.prototype[Symbol.hasInstance].call(this as () => void, one)
      return typeof one === 'object' && one !== null && brand in one
    },
  })
}

/**
 * State that all copies of a package in this process share. The first caller creates it.
 *
 * @param name the package and the state, the same in every copy
 */
export function sharedByCopies<State extends object>(name: string, make: () => State): State {
  const everywhere = globalThis as { [name: symbol]: State | undefined }
  return (everywhere[Symbol.for(name)] ??= make())
}
