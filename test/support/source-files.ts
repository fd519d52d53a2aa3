import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import ts from 'typescript'

/** One `import`, `export … from`, `import()` or `import('…')` type, as written. */
export interface ImportReference {
  specifier: string
  /** The repository path a relative specifier points at; for a package, nothing. */
  target?: string
  /** `import type` and its like: gone once it is compiled. */
  typeOnly?: true
}

/** What the architecture rules ask about a file, read from its syntax tree. */
export interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  path: string
  lines: number
  imports: ImportReference[]
  readsEnvironment: boolean
  callsCollection: boolean
  /** `export default serve(…)`, with the first argument when it is a string literal. */
  served?: { template?: string }
}

const SOURCE_DIRECTORIES = ['api', 'lib', 'scripts', 'test', 'bench']

/** Reads every file of the source directories and the TypeScript files beside package.json. */
export function readSourceTree(root: string): Map<string, string> {
  const present = SOURCE_DIRECTORIES.filter(directory => existsSync(posix.join(root, directory)))
  const inDirectories = present.flatMap(directory =>
    readdirSync(posix.join(root, directory), { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => posix.relative(root, posix.join(entry.parentPath.replaceAll('\\', '/'), entry.name))),
  )
  const besidePackageJson = readdirSync(root).filter(name => name.endsWith('.ts'))
  const paths = [...inDirectories, ...besidePackageJson].sort()
  return new Map(paths.map(path => [path, readFileSync(posix.join(root, path), 'utf8')]))
}

/** Parses one file. A syntax error is the compiler's to report: what could be parsed is returned. */
export function parseSource(path: string, text: string): SourceFile {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const file: SourceFile = {
    path,
    lines: text.replace(/\n$/, '').split('\n').length,
    imports: [],
    readsEnvironment: false,
    callsCollection: false,
  }
  const visit = (node: ts.Node): void => {
    const specifier = importSpecifier(node)
    if (specifier !== undefined)
      file.imports.push({ ...importReference(path, specifier), ...(isTypeOnly(node) && { typeOnly: true }) })
    if (readsEnvironment(node)) file.readsEnvironment = true
    if (isCallOf(node, 'collection')) file.callsCollection = true
    if (ts.isExportAssignment(node) && isCallOf(node.expression, 'serve')) {
      const template = node.expression.arguments[0]
      file.served = template && ts.isStringLiteralLike(template) ? { template: template.text } : {}
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return file
}

function importSpecifier(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return literalText(node.moduleSpecifier)
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
    return literalText(node.argument.literal)
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return literalText(node.arguments[0])
  }
  return undefined
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node)) return node.importClause?.isTypeOnly ?? false
  return ts.isImportTypeNode(node) || (ts.isExportDeclaration(node) && node.isTypeOnly)
}

function literalText(node: ts.Node | undefined): string | undefined {
  return node && ts.isStringLiteralLike(node) ? node.text : undefined
}

function importReference(path: string, specifier: string): ImportReference {
  if (!specifier.startsWith('.')) return { specifier }
  const target = posix.join(posix.dirname(path), specifier)
  return { specifier, target: target.replace(/\.js$/, '.ts') }
}

// `process` under another name escapes a search for `process.env`, so importing it counts as reading.
function readsEnvironment(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node)) return /^(node:)?process$/.test(literalText(node.moduleSpecifier) ?? '')
  if (ts.isPropertyAccessExpression(node)) return node.name.text === 'env' && hasEnvironment(node.expression)
  if (ts.isElementAccessExpression(node)) {
    return literalText(node.argumentExpression) === 'env' && hasEnvironment(node.expression)
  }
  return ts.isVariableDeclaration(node) && !!node.initializer && isProcess(node.initializer)
}

function hasEnvironment(node: ts.Expression): boolean {
  return isProcess(node) || (ts.isMetaProperty(node) && node.name.text === 'meta')
}

function isProcess(node: ts.Expression): boolean {
  if (ts.isPropertyAccessExpression(node)) return node.name.text === 'process'
  return ts.isIdentifier(node) && node.text === 'process'
}

function isCallOf(node: ts.Node, name: string): node is ts.CallExpression {
  return ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === name
}
