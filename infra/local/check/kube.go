// Command kube is every program of Kubernetes that a node of kind needs: the name that it is called by chooses.
package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
	cri "k8s.io/cri-client/pkg"
	"k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	failure "k8s.io/kubernetes/cmd/kubeadm/app/util/errors"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	programs := map[string]func() *cobra.Command{
		"kube-apiserver":          apiserver.NewAPIServerCommand,
		"kube-controller-manager": controllers.NewControllerManagerCommand,
		"kube-proxy":              proxy.NewProxyCommand,
		"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
		"kubectl":                 func() *cobra.Command { return cmd.NewDefaultKubectlCommand() },
		"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	}
	switch name := filepath.Base(os.Args[0]); name {
	case "kubeadm":
		failure.HandleError(kubeadm.Run())
	case "crictl":
		failure.HandleError(inspect(os.Args[len(os.Args)-1]))
	default:
		os.Exit(cli.Run(programs[name]()))
	}
}

// inspect prints what containerd knows of an image: the one command of crictl that kind uses, to load no image twice.
func inspect(image string) error {
	service, err := cri.NewRemoteImageService("unix:///run/containerd/containerd.sock", time.Minute, nil, nil)
	if err != nil {
		return err
	}
	found, err := service.ImageStatus(context.Background(), &runtime.ImageSpec{Image: image}, false)
	if err != nil || found.Image == nil {
		os.Exit(1)
	}
	status := map[string]any{"id": found.Image.Id, "repoTags": found.Image.RepoTags}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"status": status})
}
