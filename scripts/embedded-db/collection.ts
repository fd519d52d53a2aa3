import { BSON } from 'mongodb'
import type { ChangeLog } from './change-log.js'
import { CommandError } from './errors.js'
import { compoundKey, indexKeys, type KeyValues, shownValues } from './index-keys.js'
import { ID_INDEX, type IndexSpec } from './index-spec.js'
import { orderKey } from './order.js'
import { OrderedMap } from './ordered-map.js'
import { matches } from './predicate.js'
import { type Doc, field, idOf, namesOf, type Value } from './values.js'

/** A stored document. `document` is replaced whole, so that whoever read it before keeps a consistent one. */
export interface Entry {
  readonly id: string
  /** Keeps equal index keys in order of insertion. */
  readonly sequence: string
  document: Doc
  bytes: number
}

export class Index {
  readonly map = new OrderedMap<Entry>()
  /** For each field, whether any document ever had an array on its path. */
  readonly multikey: boolean[]
  private readonly roots: string[]

  constructor(readonly spec: IndexSpec) {
    this.multikey = spec.fields.map(() => false)
    const filtered = namesOf(spec.partialDocument ?? {})
    // A partial filter with a logical operator names fields further in, so nothing may be skipped.
    this.roots = filtered.some(path => path.startsWith('$'))
      ? []
      : [...spec.fields.map(({ path }) => path), ...filtered].map(path => path.split('.')[0] as string)
  }

  /** The keys of a document, without repetition; none where a sparse or partial index leaves it out. */
  keysOf(document: Doc): Map<string, KeyValues> {
    const keys = new Map<string, KeyValues>()
    const { fields, partial, sparse } = this.spec
    if (partial && !matches(partial, document)) return keys
    for (const values of indexKeys(document, fields, this.multikey)) {
      if (sparse && values.every(value => value === undefined)) continue
      keys.set(compoundKey(values, fields), values)
    }
    return keys
  }

  /** Whether no field that this index reads differs; documents share what an update did not touch. */
  isUntouched(before: Doc, after: Doc): boolean {
    return this.roots.length > 0 && this.roots.every(root => field(before, root) === field(after, root))
  }

  owner(key: string): Entry | undefined {
    const found = this.map.first(key)
    return found?.[0].startsWith(key) ? found[1] : undefined
  }
}

/** The documents of one namespace with their indexes. Every change is whole: checked first, then made. */
export class Collection {
  /** In natural order, which is the order of insertion. */
  readonly entries = new Map<string, Entry>()
  readonly indexes = new Map<string, Index>([['_id_', new Index(ID_INDEX)]])
  private nextSequence = 0
  /** The sum of the documents' sizes. */
  bytes = 0

  constructor(
    readonly namespace: string,
    private readonly log: ChangeLog | undefined,
  ) {}

  get(id: Value): Entry | undefined {
    return this.entries.get(orderKey(id))
  }

  /** Stores a new document, `encoded` being the same in BSON. Throws DuplicateKey (11000). */
  insert(document: Doc, encoded: Uint8Array): Entry {
    const id = orderKey(idOf(document))
    const entry: Entry = { id, sequence: sequenceKey(this.nextSequence++), document, bytes: encoded.length }
    this.link(entry, this.checkedKeys(document, undefined))
    this.log?.put(this.namespace, encoded, () => this.unlink(entry))
    return entry
  }

  /** Puts another version in place of a document. Throws DuplicateKey (11000). */
  replace(entry: Entry, document: Doc, encoded: Uint8Array): void {
    const { document: before, bytes } = entry
    this.swap(entry, document, encoded.length, this.checkedKeys(document, entry))
    this.log?.put(this.namespace, encoded, () => {
      this.swap(entry, before, bytes, this.checkedKeys(before, entry))
    })
  }

  remove(entry: Entry): void {
    this.unlink(entry)
    this.log?.remove(this.namespace, idOf(entry.document), () => {
      this.link(entry, this.checkedKeys(entry.document, undefined))
    })
  }

  /** Builds an index over what is there. Throws DuplicateKey where a unique one cannot be, leaving nothing. */
  addIndex(spec: IndexSpec): void {
    const index = new Index(spec)
    for (const entry of this.entries.values()) {
      for (const [key, values] of index.keysOf(entry.document)) {
        if (spec.unique && index.owner(key)) throw this.duplicate(index, values)
        index.map.set(key + entry.sequence, entry)
      }
    }
    this.indexes.set(spec.name, index)
  }

  /** Puts back what the data directory holds; the indexes know of it only after `reindex`. */
  restore(document: Doc, bytes: number): void {
    const id = orderKey(idOf(document))
    const known = this.entries.get(id)
    this.bytes += bytes - (known?.bytes ?? 0)
    if (known) {
      known.document = document
      known.bytes = bytes
    } else this.entries.set(id, { id, sequence: sequenceKey(this.nextSequence++), document, bytes })
  }

  /** Takes away by `_id`, while the data directory is read. */
  forget(id: Value): void {
    const known = this.get(id)
    if (known && this.entries.delete(known.id)) this.bytes -= known.bytes
  }

  /** Notes an index to be built by `reindex`. */
  declareIndex(spec: IndexSpec): void {
    this.indexes.set(spec.name, new Index(spec))
  }

  reindex(): void {
    for (const { spec } of this.indexes.values()) this.addIndex(spec)
  }

  /** The keys a document will have in each index that it changes, no unique one of them being another's. */
  private checkedKeys(document: Doc, self: Entry | undefined): [Index, Map<string, KeyValues>][] {
    const checked: [Index, Map<string, KeyValues>][] = []
    for (const index of this.indexes.values()) {
      if (self && index.isUntouched(self.document, document)) continue
      const keys = index.keysOf(document)
      if (index.spec.unique) {
        for (const [key, values] of keys) {
          const owner = index.owner(key)
          if (owner && owner !== self) throw this.duplicate(index, values)
        }
      }
      checked.push([index, keys])
    }
    return checked
  }

  private link(entry: Entry, keysByIndex: [Index, Map<string, KeyValues>][]): void {
    this.entries.set(entry.id, entry)
    this.bytes += entry.bytes
    for (const [index, keys] of keysByIndex) {
      for (const key of keys.keys()) index.map.set(key + entry.sequence, entry)
    }
  }

  private unlink(entry: Entry): void {
    this.entries.delete(entry.id)
    this.bytes -= entry.bytes
    for (const index of this.indexes.values()) {
      for (const key of index.keysOf(entry.document).keys()) index.map.delete(key + entry.sequence)
    }
  }

  private swap(
    entry: Entry,
    document: Doc,
    bytes: number,
    keysByIndex: [Index, Map<string, KeyValues>][],
  ): void {
    for (const [index, after] of keysByIndex) {
      const before = index.keysOf(entry.document)
      for (const key of before.keys()) if (!after.has(key)) index.map.delete(key + entry.sequence)
      for (const key of after.keys()) if (!before.has(key)) index.map.set(key + entry.sequence, entry)
    }
    this.bytes += bytes - entry.bytes
    entry.document = document
    entry.bytes = bytes
  }

  private duplicate(index: Index, values: KeyValues): CommandError {
    const { name, key, fields } = index.spec
    const keyValue = shownValues(values, fields)
    return new CommandError(
      'DuplicateKey',
      `E11000 duplicate key error collection: ${this.namespace} index: ${name} dup key: ${BSON.EJSON.stringify(keyValue)}`,
      { keyPattern: key, keyValue },
    )
  }
}

/** Six characters, seven bits each: above every key's end, below nothing. */
function sequenceKey(sequence: number): string {
  let key = ''
  for (let rest = sequence, at = 0; at < 6; at++, rest = Math.floor(rest / 128)) {
    key = String.fromCharCode(rest % 128) + key
  }
  return key
}
