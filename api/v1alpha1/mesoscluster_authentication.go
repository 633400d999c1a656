package v1alpha1

// Authentication says how masters and agents find out who makes a request.
type Authentication struct {
	// serviceAccounts lets pods in by the tokens of their ServiceAccounts, and
	// nobody without one: all of HTTP but /health, /version and /redirect is closed. The
	// principal is "system:serviceaccount:<namespace>:<name>". Without it nobody is
	// asked who they are. What it closes can be opened, and other ways in be added, by the
	// flags authenticate_http_* and http_authenticators.
	// +optional
	ServiceAccounts *ServiceAccountTokens `json:"serviceAccounts,omitempty"`
}

// ServiceAccountTokens says which tokens are taken.
type ServiceAccountTokens struct {
	// audiences that tokens may be made for; one of a token's must be among them. Pods
	// get such tokens from projected volumes. The audience of Kubernetes itself
	// should not be among them: whoever runs the masters could use these tokens.
	// +optional
	// +listType=set
	// +kubebuilder:default={"mesos"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="!self.exists(audience, audience.startsWith('https://kubernetes.default'))",message="leave out the audience of Kubernetes itself: its tokens would let the masters act as whoever shows them; use a name of your own, such as mesos"
	Audiences []Audience `json:"audiences,omitempty"`
}

// Audience is whom a token is made for.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[^, \\\\t\\\\n\\\\r$]+$')",message="write an audience without commas, spaces and dollar signs, as in mesos or https://mesos.example.com"
type Audience string
