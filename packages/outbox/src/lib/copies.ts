/**
 * A process may hold several copies of a package: Next.js bundles one into each route, and npm installs two versions side
 * by side. What one copy made is then given to functions of another.
 */

/**
 * Makes `instanceof` of a class true of the instances of every copy. A subclass keeps its own.
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
 * What all copies of a package in this process have together; made by the first that asks.
 *
 * @param name the package and what it is, the same in every copy
 */
export function sharedByCopies<State extends object>(name: string, make: () => State): State {
  const everywhere = globalThis as { [name: symbol]: State | undefined }
  return (everywhere[Symbol.for(name)] ??= make())
}
